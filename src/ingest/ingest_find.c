/* Finding the import program beside the code that asks for it.
 *
 * The kernel's list of mappings tells which file this very code was loaded from, library or program, by its real and
 * absolute path; argv[0], PATH and the working directory have no say.
 */
#include "priv/ingest_find.h"

#include <inttypes.h>
#include <sys/stat.h>
#include "base_mem.h"

#define LINE_MAX_BYTES 8192 /* of /proc/self/maps: a path of at most 4,096 bytes, some of them escaped */
#define PROGRAM        "libexec/cistern/cistern-import"

static bool is_program(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* Whether a line of /proc/self/maps is about the mapping that holds `address`. */
static bool line_holds(const char *line, uintptr_t address)
{
    uintptr_t from, to;

    return sscanf(line, "%" SCNxPTR "-%" SCNxPTR, &from, &to) == 2 && address >= from && address < to;
}

/* The path at the end of such a line, without its last component; false: the mapping has no file. */
static bool directory_of(char *line, char **out)
{
    char *path = strchr(line, '/');
    char *slash = path ? strrchr(path, '/') : NULL;

    if (!slash)
        return false;
    *slash = 0;
    *out = path;
    return true;
}

/* The directory of the file that this code was loaded from; "" if it cannot be told (no /proc). */
static cistern_status own_directory(char **out, cistern_error *err)
{
    char line[LINE_MAX_BYTES], *found = NULL;
    FILE *maps = fopen("/proc/self/maps", "re");

    while (maps && !found && fgets(line, sizeof line, maps)) {
        if (line_holds(line, (uintptr_t)&own_directory) && !directory_of(line, &found))
            break;
    }
    if (maps)
        (void)fclose(maps);
    return base_strdup(found ? found : "", out, err);
}

static cistern_status look_beside(const char *dir, char **out, cistern_error *err)
{
    static const char *const up[] = {"..", "../.."};
    char *path = NULL;

    for (size_t i = 0; *dir && i < sizeof up / sizeof up[0]; i++) {
        cistern_status st = base_asprintf(&path, err, "%s/%s/%s", dir, up[i], PROGRAM);
        if (st)
            return st;
        if (is_program(path)) {
            *out = path;
            return CISTERN_OK;
        }
        free(path);
    }
    return base_fail(err, CISTERN_UNEXPECTED,
                     "installation incomplete: no import program at %s/../%s; install cistern again", dir,
                     PROGRAM);
}

cistern_status ingest_find_program(const char *given, char **out, cistern_error *err)
{
    char *dir = NULL;

    if (given) {
        if (!is_program(given))
            return base_fail(err, CISTERN_UNEXPECTED, "installation incomplete: no import program at %s",
                             given);
        return base_strdup(given, out, err);
    }
    cistern_status st = own_directory(&dir, err);
    if (!st)
        st = look_beside(dir, out, err);
    free(dir);
    return st;
}
