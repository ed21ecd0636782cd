/* The folder of an installed Skein on Windows: which version is current, and when that changes.
 *
 * Files of one line each, as ARCHITECTURE.md says under "The installed tree"; the shell script
 * installers/linux/skein does the same elsewhere. Knows no processes and says nothing to anybody. */
#ifndef SKEIN_VERSIONS_H
#define SKEIN_VERSIONS_H

#include <stdbool.h>
#include <wchar.h>

#define PATH_ROOM 2048   /* characters of a path, with its end */
#define LINE_ROOM 64     /* bytes of a line, with its end: a version and a count */

/* "<root>\<a>\<b>\<c>"; b and c may be null. False: too long. */
bool join(wchar_t *path, const wchar_t *root, const wchar_t *a, const wchar_t *b, const wchar_t *c);

/* The first line of a file of the root, without its end; "" where there is none. */
void read_line(const wchar_t *root, const wchar_t *name, char line[LINE_ROOM]);

/* Replaces a file of the root: whole or not at all. */
bool write_line(const wchar_t *root, const wchar_t *name, const char *line);

/* Whether that version lies there with all that a start needs. */
bool is_whole(const wchar_t *root, const char *version);

/* A version's name, which is ASCII, for paths. */
void widen(const char *version, wchar_t wide[LINE_ROOM]);

/* Makes `next` the current version, if it is whole, and keeps the one before as `previous`. */
void switch_to_next(const wchar_t *root);

/* Counts a start of a version that was never seen to stand. After two in vain, or when files of it
 * are gone, the previous one is current again, and `failed` tells of it. Returns whether this start
 * was counted. */
bool go_back_if_it_failed(const wchar_t *root);

#endif
