#include "versions.h"

#include <stdio.h>
#include <string.h>
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#define MOST_STARTS 2

bool join(wchar_t *path, const wchar_t *root, const wchar_t *a, const wchar_t *b,
          const wchar_t *c) {
    const wchar_t *parts[] = {root, a, b, c};
    size_t end = 0;
    for (int i = 0; i < 4 && parts[i]; i++) {
        const size_t length = wcslen(parts[i]);
        if (end + length + 2 > PATH_ROOM) return false;
        if (i) path[end++] = L'\\';
        memcpy(path + end, parts[i], (length + 1) * sizeof(wchar_t));
        end += length;
    }
    return true;
}

void read_line(const wchar_t *root, const wchar_t *name, char line[LINE_ROOM]) {
    wchar_t path[PATH_ROOM];
    DWORD length = 0;
    line[0] = 0;
    if (!join(path, root, name, NULL, NULL)) return;
    const HANDLE file = CreateFileW(path, GENERIC_READ,
                                    FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                                    OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, NULL);
    if (file == INVALID_HANDLE_VALUE) return;
    if (!ReadFile(file, line, LINE_ROOM - 1, &length, NULL)) length = 0;
    CloseHandle(file);
    line[length] = 0;
    line[strcspn(line, "\r\n")] = 0;
}

static bool write_whole(const wchar_t *path, const char *text) {
    DWORD written = 0;
    const DWORD length = (DWORD)strlen(text);
    const HANDLE file =
        CreateFileW(path, GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, FILE_ATTRIBUTE_NORMAL, NULL);
    if (file == INVALID_HANDLE_VALUE) return false;
    const bool done = WriteFile(file, text, length, &written, NULL) && written == length &&
                      FlushFileBuffers(file);
    CloseHandle(file);
    return done;
}

bool write_line(const wchar_t *root, const wchar_t *name, const char *line) {
    wchar_t beside[LINE_ROOM], from[PATH_ROOM], to[PATH_ROOM];
    char text[LINE_ROOM + 1];
    _snwprintf(beside, LINE_ROOM, L".%ls.%lu", name, GetCurrentProcessId());
    snprintf(text, sizeof text, "%s\n", line);
    if (!join(from, root, beside, NULL, NULL) || !join(to, root, name, NULL, NULL)) return false;
    const bool done = write_whole(from, text) &&
                      MoveFileExW(from, to, MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH);
    if (!done) DeleteFileW(from);
    return done;
}

static void forget(const wchar_t *root, const wchar_t *name) {
    wchar_t path[PATH_ROOM];
    if (join(path, root, name, NULL, NULL)) DeleteFileW(path);
}

/* Names of versions are names of folders: nothing in them may lead elsewhere. */
static bool is_name(const char *version) {
    const char *const allowed =
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.+_-";
    return version[0] && version[0] != '.' && version[strspn(version, allowed)] == 0;
}

void widen(const char *version, wchar_t wide[LINE_ROOM]) {
    size_t i = 0;
    for (; version[i] && i < LINE_ROOM - 1; i++) wide[i] = (unsigned char)version[i];
    wide[i] = 0;
}

static bool is_file(const wchar_t *path) {
    const DWORD what = GetFileAttributesW(path);
    return what != INVALID_FILE_ATTRIBUTES && !(what & FILE_ATTRIBUTE_DIRECTORY);
}

bool is_whole(const wchar_t *root, const char *version) {
    wchar_t name[LINE_ROOM], tree[PATH_ROOM], path[PATH_ROOM];
    if (!is_name(version)) return false;
    widen(version, name);
    return join(tree, root, L"versions", name, NULL) &&
           join(path, tree, L"manifest.json", NULL, NULL) && is_file(path) &&
           join(path, tree, L"python", L"python.exe", NULL) && is_file(path);
}

/* In this order a stop in the middle is made up for by the next start. */
void switch_to_next(const wchar_t *root) {
    char next[LINE_ROOM], current[LINE_ROOM], trying[LINE_ROOM + 2];
    read_line(root, L"next", next);
    if (!next[0]) return;
    read_line(root, L"current", current);
    if (is_whole(root, next) && strcmp(next, current) != 0) {
        snprintf(trying, sizeof trying, "%s 0", next);
        if (!write_line(root, L"previous", current) || !write_line(root, L"trying", trying) ||
            !write_line(root, L"current", next))
            return;
    }
    forget(root, L"next");
}

/* "<version> <count>" -> the count, and the line is cut to the version; without one it is 2. */
static int take_count(char *line) {
    char *const blank = strrchr(line, ' ');
    if (!blank) return MOST_STARTS;
    *blank = 0;
    const char *const digits = blank + 1;
    const size_t length = strlen(digits);
    if (length < 1 || length > 3 || digits[strspn(digits, "0123456789")]) return MOST_STARTS;
    int count = 0;
    for (size_t i = 0; i < length; i++) count = count * 10 + digits[i] - '0';
    return count;
}

static void go_back(const wchar_t *root, const char *from, const char *to) {
    if (!write_line(root, L"failed", from) || !write_line(root, L"current", to)) return;
    forget(root, L"trying");
    forget(root, L"previous");
}

bool go_back_if_it_failed(const wchar_t *root) {
    char trying[LINE_ROOM], current[LINE_ROOM], previous[LINE_ROOM], again[LINE_ROOM + 8];
    read_line(root, L"trying", trying);
    read_line(root, L"current", current);
    read_line(root, L"previous", previous);
    const bool can = is_whole(root, previous);
    if (!is_whole(root, current)) { /* a virus scanner took a file of it */
        if (can) go_back(root, current, previous);
        return false;
    }
    const int count = take_count(trying) + 1;
    if (!trying[0] || strcmp(trying, current) != 0) return false;
    if (count > MOST_STARTS && can) {
        go_back(root, current, previous);
        return false;
    }
    snprintf(again, sizeof again, "%s %d", trying, count);
    return write_line(root, L"trying", again);
}
