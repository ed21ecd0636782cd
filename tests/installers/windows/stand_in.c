/* Stands where Python lies in a tree for Windows, in tests of the setup and the launchers: there is
 * no CPython for Windows on a Linux machine. Writes down what it was started with (UTF-8, one
 * value a line) into told.txt beside "versions", and does what its folder's files say:
 *   code.txt   ends with that code          wait.txt   waits until that file is gone
 *   library    ..\kernels\skein_cpu.dll, if it is there, is loaded and asked for its version */
#include <stdio.h>
#include <stdlib.h>
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

static wchar_t folder[2048], path[2200];

static const wchar_t *beside(const wchar_t *name) {
    _snwprintf(path, 2200, L"%ls\\%ls", folder, name);
    return path;
}

static void put(FILE *out, const wchar_t *text) {
    static char bytes[32768];
    WideCharToMultiByte(CP_UTF8, 0, text, -1, bytes, sizeof bytes, NULL, NULL);
    fprintf(out, "%s\n", bytes);
}

static void ask_library(FILE *out) {
    const HMODULE library = LoadLibraryW(beside(L"..\\kernels\\skein_cpu.dll"));
    if (!library) return;
    typedef int (*Version)(void);
    typedef const char *(*Name)(void);
    const Version version = (Version)(void *)GetProcAddress(library, "skn_abi_version");
    const Name set = (Name)(void *)GetProcAddress(library, "skn_cpu");
    fprintf(out, "library %d %s\n", version(), set());
}

static void hold_mutex(void) {
    char name[100] = "";
    FILE *const file = _wfopen(beside(L"mutex.txt"), L"rb");
    if (!file) return;
    if (fscanf(file, "%99s", name) == 1) CreateMutexA(NULL, FALSE, name);
    fclose(file);
}

int wmain(int count, wchar_t **values) {
    GetModuleFileNameW(NULL, folder, 2048);
    wchar_t *const name = wcsrchr(folder, L'\\');
    *name = 0;
    hold_mutex();
    FILE *const out = _wfopen(beside(L"..\\..\\..\\told.txt"), L"wb");
    put(out, name + 1);
    put(out, folder);
    if (GetEnvironmentVariableW(L"SKEIN_COUNTED", path, 2200)) put(out, L"counted");
    for (int i = 1; i < count; i++) put(out, values[i]);
    ask_library(out);
    fclose(out);
    while (GetFileAttributesW(beside(L"wait.txt")) != INVALID_FILE_ATTRIBUTES) Sleep(20);
    FILE *const code = _wfopen(beside(L"code.txt"), L"rb");
    int wanted = 0;
    if (code && fscanf(code, "%d", &wanted) != 1) wanted = 99;
    return wanted;
}
