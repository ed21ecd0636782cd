/* Contents/MacOS/Skein: runs Python inside this very process.
 *
 * A process that goes over into Resources/.../python3 is "python3" in the Dock and in the menu bar,
 * and is not the program that was signed. So Python's library is loaded here and told that it is
 * the tree's interpreter; its main function does the rest, as python3 itself does.
 *
 * A copy on a Mac is not updated by itself (it is dragged into Applications), so nothing is switched
 * here. Whatever is missing, the script Resources/skein-launch is started instead: it says what is
 * wrong, or starts Python as on Linux.
 *
 * Builds on Linux, too, where the tests run it.
 */
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef __APPLE__
#include <mach-o/dyld.h>
#define SUFFIX ".dylib"
#else
#define SUFFIX ".so"
#endif

enum { LONG = 4096, WORDS = 5 };

/* The folder Contents, without a slash at its end. */
static int find_contents(char *contents) {
    char own[LONG];
#ifdef __APPLE__
    uint32_t size = sizeof own;
    if (_NSGetExecutablePath(own, &size) != 0) return 0;
#else
    const ssize_t length = readlink("/proc/self/exe", own, sizeof own - 1);
    if (length < 0) return 0;
    own[length] = '\0';
#endif
    char *real = realpath(own, NULL);
    if (!real || strlen(real) >= LONG) return 0;
    strcpy(contents, real);
    free(real);
    for (int up = 0; up < 2; ++up) { /* the file, MacOS */
        char *slash = strrchr(contents, '/');
        if (!slash) return 0;
        *slash = '\0';
    }
    return 1;
}

/* The first line of a file; a name of a folder and nothing else. */
static int read_name(const char *path, char *name, int size) {
    FILE *file = fopen(path, "r");
    if (!file) return 0;
    const int read = fgets(name, size, file) != NULL;
    fclose(file);
    if (!read) return 0;
    name[strcspn(name, "\r\n")] = '\0';
    return name[0] && name[0] != '.' && !strchr(name, '/');
}

static int join(char *path, const char *first, const char *second, const char *third) {
    return snprintf(path, LONG, "%s%s%s", first, second, third) < LONG;
}

/* Returns Python's exit code, or -1 when there is no Python to be run here. */
static int run_python(const char *root, int argc, char **argv) {
    char path[LONG], name[256], tree[LONG], python[LONG];
    if (!join(path, root, "/current", "") || !read_name(path, name, sizeof name)) return -1;
    if (!join(tree, root, "/versions/", name)) return -1;
    if (!join(python, tree, "/python/bin/python3", "") || access(python, X_OK) != 0) return -1;
    if (!join(path, tree, "/python/lib/libpython3.11", SUFFIX)) return -1;
    void *library = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
    if (!library) return -1;
    int (*run)(int, char **) = (int (*)(int, char **))dlsym(library, "Py_BytesMain");
    if (!run) return -1;
    char **words = calloc((size_t)argc + WORDS + 1, sizeof *words);
    if (!words) return -1;
    char *const first[WORDS + 1] = {python, "-I", "-Xutf8", "-m", "app"};
    for (int i = 0; i < WORDS; ++i) words[i] = first[i];
    for (int i = 1; i < argc; ++i) words[WORDS - 1 + i] = argv[i];
    return run(argc - 1 + WORDS, words);
}

int main(int argc, char **argv) {
    char contents[LONG], root[LONG], script[LONG];
    /* Qt would load another program's plugins. */
    unsetenv("QT_PLUGIN_PATH");
    unsetenv("QT_QPA_PLATFORM_PLUGIN_PATH");
    unsetenv("QML2_IMPORT_PATH");
    if (!find_contents(contents) || !join(root, contents, "/Resources/skein", "")) return 1;
    const int code = run_python(root, argc, argv);
    if (code != -1) return code;
    if (!join(script, contents, "/Resources/skein-launch", "")) return 1;
    execv(script, argv);
    fprintf(stderr, "Skein is incomplete: %s is missing. Install it again.\n", script);
    return 1;
}
