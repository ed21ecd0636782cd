/* What the launcher has to say, in the language of the user's Windows. Knows sentences only. */
#ifndef SKEIN_WORDS_H
#define SKEIN_WORDS_H

#include <wchar.h>

#define SENTENCE_ROOM 4096 /* characters, with the end */

/* The version that is to run is not there, or not whole. */
void sentence_incomplete(wchar_t *text, const wchar_t *root, const wchar_t *version);

/* The system does not start that program; error: what GetLastError said. */
void sentence_refused(wchar_t *text, const wchar_t *program, unsigned long error);

/* Python ended with this code before there was a window. */
void sentence_ended(wchar_t *text, unsigned long code);

#endif
