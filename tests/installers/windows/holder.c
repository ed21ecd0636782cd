/* Does what a virus scanner does to a file: holder.exe FILE MS opens it so that nobody may replace
 * it, says so by an empty file FILE.held, and lets go after MS milliseconds. */
#include <stdio.h>
#include <stdlib.h>
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

int wmain(int count, wchar_t **values) {
    static wchar_t mark[2200];
    if (count != 3) return 2;
    const HANDLE file = CreateFileW(values[1], GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING,
                                    FILE_ATTRIBUTE_NORMAL, NULL);
    if (file == INVALID_HANDLE_VALUE) return 1;
    _snwprintf(mark, 2200, L"%ls.held", values[1]);
    CloseHandle(CreateFileW(mark, GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, FILE_ATTRIBUTE_NORMAL,
                            NULL));
    Sleep((DWORD)_wtoi(values[2]));
    CloseHandle(file);
    return 0;
}
