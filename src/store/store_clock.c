/* The store's clock; see store_clock.h. */
#include "store_clock.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include "base_host.h"
#include "priv/store_object.h"

#define SECONDS_MOST 9000000000 /* the year 2255: nanoseconds of it still fit */

/* Stamps can be set to anything: those from before 1970 and from far ahead are brought in, so that ages cannot overflow. */
static int64_t nanoseconds(struct timespec t)
{
    if (t.tv_sec < 0)
        return 0;
    if (t.tv_sec > SECONDS_MOST)
        return (int64_t)SECONDS_MOST * 1000000000;
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* A file that is made, stamped and gone. */
static cistern_status stamp(const store *s, int64_t *out, cistern_error *err)
{
    char path[STORE_NAME_MAX], random[33];
    struct stat st;
    int fd = -1;
    cistern_status status = base_random_hex(16, random, err);
    if (status != CISTERN_OK)
        return status;
    snprintf(path, sizeof path, ".tmp-%s", random);
    status = base_create_beneath(s->root, path, s->modes.work, &fd, err);
    if (status != CISTERN_OK)
        return status;
    if (fstat(fd, &st) != 0)
        status = base_fail_errno(err, errno, "cannot ask for the time of '%s'", path);
    else
        *out = nanoseconds(st.st_mtim);
    close(fd);
    unlinkat(s->root, path, 0);
    return status;
}

cistern_status store_clock_now(const store *s, int64_t *out, cistern_error *err)
{
    struct timespec now;
    if (store_check_write(s, NULL) == CISTERN_OK)
        return stamp(s, out, err);
    clock_gettime(CLOCK_REALTIME, &now);
    *out = nanoseconds(now);
    return CISTERN_OK;
}

bool store_clock_of(const store *s, const char *path, int64_t *out)
{
    struct stat st;
    if (fstatat(s->root, path, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return false;
    *out = nanoseconds(st.st_mtim);
    return true;
}
