// A driver without a card: what it is told is written down, what it answers can be set. The
// launch's layout is that of cuda.h (CUlaunchConfig, CUlaunchAttribute).
#include <stdint.h>
#include <string.h>

struct Attribute {
  int id;
  char pad[4];
  union { char room[64]; int allowed; } value;
};
struct Config {
  unsigned grid_x, grid_y, grid_z, block_x, block_y, block_z, shared_bytes;
  void* stream;
  Attribute* attributes;
  unsigned attribute_count;
};

extern "C" {
struct Seen {
  unsigned grid[3], block[3], shared_bytes, attribute_count;
  int attribute, allowed, launches, modules, pushed, allowed_bytes, carveout;
  uint64_t stream, address;
  int64_t number;
  float fraction;
} seen;
int need_context = 0, refuse_modules = 0, depth = 0;

int cuInit(unsigned) { return 0; }
int cuDriverGetVersion(int* version) { return *version = 13000, 0; }
int cuGetErrorString(int code, const char** text) {
  *text = code == 201 ? "invalid device context" : code == 500 ? "named symbol not found" : "other";
  return 0;
}
int cuDeviceGet(int* device, int ordinal) { return *device = ordinal, 0; }
int cuDevicePrimaryCtxRetain(void** context, int) { return *context = &seen, 0; }
int cuCtxPushCurrent_v2(void*) { return depth++, seen.pushed++, 0; }
int cuCtxPopCurrent_v2(void**) { return depth--, 0; }
int cuModuleLoadData(void** module, const char* image) {
  if (refuse_modules > 0) return refuse_modules--, 200;
  if (memcmp(image, "\177ELF", 4)) return 200;
  return *module = &seen, seen.modules++, 0;
}
int cuModuleUnload(void*) { return seen.modules--, 0; }
int cuModuleGetFunction(void** function, void*, const char* name) {
  if (!strcmp(name, "none")) return 500;
  return *function = &seen, 0;
}
int cuFuncSetAttribute(void*, int attribute, int value) {
  if (attribute == 8) seen.allowed_bytes = value;
  if (attribute == 9) seen.carveout = value;
  return attribute == 8 || attribute == 9 ? 0 : 1;
}
int cuFuncGetAttribute(int* value, int attribute, void*) { return *value = 10 * attribute, 0; }
int cuLaunchKernelEx(const Config* config, void*, void** arguments, void**) {
  if (need_context && !depth) return 201;
  const unsigned grid[] = {config->grid_x, config->grid_y, config->grid_z};
  const unsigned block[] = {config->block_x, config->block_y, config->block_z};
  memcpy(seen.grid, grid, sizeof grid);
  memcpy(seen.block, block, sizeof block);
  seen.shared_bytes = config->shared_bytes;
  seen.attribute_count = config->attribute_count;
  seen.attribute = config->attribute_count ? config->attributes->id : 0;
  seen.allowed = config->attribute_count ? config->attributes->value.allowed : 0;
  seen.stream = reinterpret_cast<uint64_t>(config->stream);
  memcpy(&seen.address, arguments[0], 8);
  memcpy(&seen.number, arguments[1], 8);
  memcpy(&seen.fraction, arguments[2], 4);
  return seen.launches++, 0;
}
}
