// The checks of whole models once more, for models with DeepEmbed. Rows of 36 numbers: no multiple
// of what is packed together.
#define CHECK_DEEP 6
#include "check_model.cpp"
