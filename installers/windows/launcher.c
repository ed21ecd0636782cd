/* Skein's launcher on Windows: chooses the version, starts its Python, and says why if it cannot.
 *
 * Two programs are made of this file: Skein.exe, for the desktop, ends once the window stands;
 * skein.com (-DSKEIN_CONSOLE), for a terminal, waits and hands on the exit code. Whatever they are
 * given they pass on as it was written: `Skein.exe model.pth`, `skein bench`. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#include "versions.h"
#include "words.h"

#define COMMAND_ROOM 32768 /* characters of a command line, the system's own limit */
#define PATIENCE_MS 3000   /* for a Skein that is ending, before an update is put off */
#define WINDOW_MS 20000    /* for a window; a slower one is not waited for */

#ifdef SKEIN_CONSOLE
#define PYTHON L"python.exe"
#else
#define PYTHON L"pythonw.exe"
#endif

/* ---- Saying ------------------------------------------------------------------------------- */

static void say(const wchar_t *text) {
#ifdef SKEIN_CONSOLE
    const HANDLE out = GetStdHandle(STD_ERROR_HANDLE);
    DWORD mode, written;
    if (GetConsoleMode(out, &mode)) {
        WriteConsoleW(out, text, (DWORD)wcslen(text), &written, NULL);
        WriteConsoleW(out, L"\n", 1, &written, NULL);
        return;
    }
    static char bytes[4 * SENTENCE_ROOM];
    const int length =
        WideCharToMultiByte(CP_UTF8, 0, text, -1, bytes, sizeof bytes - 1, NULL, NULL);
    if (length < 1) return;
    bytes[length - 1] = '\n';
    WriteFile(out, bytes, (DWORD)length, &written, NULL);
#else
    MessageBoxW(NULL, text, L"Skein", MB_OK | MB_ICONERROR | MB_SETFOREGROUND);
#endif
}

/* ---- Where --------------------------------------------------------------------------------- */

static bool find_root(wchar_t root[PATH_ROOM]) {
    const DWORD length = GetModuleFileNameW(NULL, root, PATH_ROOM);
    if (length == 0 || length >= PATH_ROOM) return false;
    wchar_t *const end = wcsrchr(root, L'\\');
    if (!end) return false;
    *end = 0;
    return true;
}

/* ---- One at a time ------------------------------------------------------------------------- */

/* A mark that Python inherits and so holds as long as it runs. `taken`: some Skein of this folder
 * runs already; it is the wrong moment to switch versions, and this start says nothing about one. */
static HANDLE mark(const wchar_t *root, bool *taken) {
    static wchar_t folder[PATH_ROOM];
    unsigned long long hash = 14695981039346656037ULL; /* FNV-1a */
    wchar_t name[LINE_ROOM];
    SECURITY_ATTRIBUTES inherited = {sizeof inherited, NULL, TRUE};
    wcscpy(folder, root);
    CharLowerBuffW(folder, (DWORD)wcslen(folder));
    for (const wchar_t *at = folder; *at; at++) hash = (hash ^ *at) * 1099511628211ULL;
    _snwprintf(name, LINE_ROOM, L"Local\\Skein-%08lx%08lx", (unsigned long)(hash >> 32),
               (unsigned long)(hash & 0xffffffff));
    SetLastError(0);
    const HANDLE handle = CreateMutexW(&inherited, FALSE, name);
    *taken = GetLastError() == ERROR_ALREADY_EXISTS;
    return handle;
}

static bool has_next(const wchar_t *root) {
    char next[LINE_ROOM];
    read_line(root, L"next", next);
    return next[0] != 0;
}

/* "Start again now" starts us while the old one still ends: an update is worth a moment. */
static HANDLE mark_patiently(const wchar_t *root, bool *taken) {
    HANDLE handle = mark(root, taken);
    for (int waited = 0; *taken && waited < PATIENCE_MS && has_next(root); waited += 50) {
        if (handle) CloseHandle(handle);
        Sleep(50);
        handle = mark(root, taken);
    }
    return handle;
}

/* ---- Starting ------------------------------------------------------------------------------ */

/* What stands behind the program's own name, as it was written. */
static const wchar_t *arguments(void) {
    const wchar_t *at = GetCommandLineW();
    bool quoted = false;
    for (; *at && (quoted || (*at != L' ' && *at != L'\t')); at++)
        if (*at == L'"') quoted = !quoted;
    while (*at == L' ' || *at == L'\t') at++;
    return at;
}

static bool start(const wchar_t *python, PROCESS_INFORMATION *process) {
    static wchar_t command[COMMAND_ROOM];
    STARTUPINFOW startup;
    const int length = _snwprintf(command, COMMAND_ROOM, L"\"%ls\" -I -X utf8 -m app %ls", python,
                                  arguments());
    if (length < 0 || length >= COMMAND_ROOM) {
        SetLastError(ERROR_FILENAME_EXCED_RANGE);
        return false;
    }
    /* What another Qt was told must not reach ours. */
    SetEnvironmentVariableW(L"QT_PLUGIN_PATH", NULL);
    SetEnvironmentVariableW(L"QT_QPA_PLATFORM_PLUGIN_PATH", NULL);
    SetEnvironmentVariableW(L"QML2_IMPORT_PATH", NULL);
    GetStartupInfoW(&startup); /* how a shortcut wants its window, and where a terminal reads */
    startup.lpReserved = NULL;
    return CreateProcessW(python, command, NULL, NULL, TRUE, 0, NULL, NULL, &startup, process);
}

#ifdef SKEIN_CONSOLE

static BOOL WINAPI leave_to_python(DWORD event) {
    return event == CTRL_C_EVENT || event == CTRL_BREAK_EVENT;
}

/* Whoever ends us ends Python, too. */
static HANDLE bind(HANDLE process) {
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits;
    const HANDLE job = CreateJobObjectW(NULL, NULL);
    memset(&limits, 0, sizeof limits);
    limits.BasicLimitInformation.LimitFlags =
        JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK;
    SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof limits);
    AssignProcessToJobObject(job, process);
    return job;
}

static int attend(const PROCESS_INFORMATION *process) {
    DWORD code = 1;
    const HANDLE job = bind(process->hProcess);
    SetConsoleCtrlHandler(leave_to_python, TRUE);
    WaitForSingleObject(process->hProcess, INFINITE);
    GetExitCodeProcess(process->hProcess, &code);
    CloseHandle(job);
    return (int)code;
}

#else

/* Until the window takes input. A Python that ends before, and not in peace, had no way to say why:
 * a library that is missing or blocked, a folder that is damaged. */
static int attend(const PROCESS_INFORMATION *process) {
    wchar_t text[SENTENCE_ROOM];
    DWORD code = 0;
    AllowSetForegroundWindow(process->dwProcessId);
    WaitForInputIdle(process->hProcess, WINDOW_MS);
    if (WaitForSingleObject(process->hProcess, 0) != WAIT_OBJECT_0) return 0;
    GetExitCodeProcess(process->hProcess, &code);
    if (code != 0) {
        sentence_ended(text, code);
        say(text);
    }
    return (int)code;
}

#endif

static int run(void) {
    static wchar_t root[PATH_ROOM], python[PATH_ROOM], text[SENTENCE_ROOM];
    wchar_t version[LINE_ROOM];
    char current[LINE_ROOM];
    PROCESS_INFORMATION process;
    bool taken = false, counted = false;
    if (!find_root(root)) return 1;
    const HANDLE held = mark_patiently(root, &taken);
    if (!taken) {
        switch_to_next(root);
        counted = go_back_if_it_failed(root);
    }
    SetEnvironmentVariableW(L"SKEIN_COUNTED", counted ? L"1" : NULL); /* for app.__main__ */
    read_line(root, L"current", current);
    widen(current, version);
    if (!is_whole(root, current) || !join(python, root, L"versions", version, L"python\\" PYTHON)) {
        sentence_incomplete(text, root, version);
        say(text);
        return 1;
    }
    if (!start(python, &process)) {
        sentence_refused(text, python, GetLastError());
        say(text);
        return 1;
    }
    const int code = attend(&process);
    if (held) CloseHandle(held);
    return code;
}

#ifdef SKEIN_CONSOLE
int wmain(void) { return run(); }
#else
int WINAPI wWinMain(HINSTANCE ours, HINSTANCE none, PWSTR line, int show) {
    (void)ours, (void)none, (void)line, (void)show;
    return run();
}
#endif
