/* The error object: filling it in, adding frames, writing it out.
 *
 * Invariants: those of base_error.h, and
 *  1. Arguments may point into the error object that is being filled: text is formatted aside first.
 *  2. The tail that says where (" at byte N", ": No such file or directory") survives a cut of the text
 * before it.
 *  3. When the frames are full the newest takes the last place, so that the outermost is always there.
 * Nothing here allocates or looks at the locale.
 */
#include "base_error.h"
#include "priv/base_text.h"
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

/* Here they are defined, not called. */
#undef base_fail
#undef base_fail_at
#undef base_fail_errno
#undef base_fail_memory

#define TAIL_MAX 96 /* bytes: longer than any text of the C library for an errno */

const char *cistern_status_name(cistern_status status)
{
    switch (status) {
#define CISTERN_STATUS_NAME(name, value, exit_code, text)                                                    \
    case CISTERN_##name:                                                                                     \
        return #name;
        CISTERN_STATUS_MAP(CISTERN_STATUS_NAME)
#undef CISTERN_STATUS_NAME
    }
    return "UNKNOWN";
}

const char *cistern_status_text(cistern_status status)
{
    switch (status) {
#define CISTERN_STATUS_TEXT(name, value, exit_code, text)                                                    \
    case CISTERN_##name:                                                                                     \
        return text;
        CISTERN_STATUS_MAP(CISTERN_STATUS_TEXT)
#undef CISTERN_STATUS_TEXT
    }
    return "unknown status";
}

int cistern_status_exit_code(cistern_status status)
{
    switch (status) {
#define CISTERN_STATUS_EXIT(name, value, exit_code, text)                                                    \
    case CISTERN_##name:                                                                                     \
        return exit_code;
        CISTERN_STATUS_MAP(CISTERN_STATUS_EXIT)
#undef CISTERN_STATUS_EXIT
    }
    return 1;
}

/* Bytes of `text` without a character that a cut at `n` left unfinished at its end. */
static size_t whole_characters(const char *text, size_t n)
{
    for (size_t back = 1; back <= 3 && back <= n; back++) {
        unsigned char lead = (unsigned char)text[n - back];
        if ((lead & 0xc0) == 0x80)
            continue;
        size_t want = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
        return want > back ? n - back : n;
    }
    return n;
}

static void format_line(char *out, size_t size, const char *fmt, va_list args) CISTERN_PRINTF(3, 0);

static void format_line(char *out, size_t size, const char *fmt, va_list args)
{
    char raw[CISTERN_ERROR_TEXT_MAX];
    int wanted = vsnprintf(raw, sizeof raw, fmt, args);
    size_t n = wanted < 0 ? 0 : (size_t)wanted;
    if (n >= sizeof raw)
        n = whole_characters(raw, sizeof raw - 1);
    base_text_line(out, size, raw, n);
}

static void set_text(cistern_error *err, cistern_status status, const char *tail, const char *fmt,
                     va_list args) CISTERN_PRINTF(4, 0);

static void set_text(cistern_error *err, cistern_status status, const char *tail, const char *fmt,
                     va_list args)
{
    char line[CISTERN_ERROR_TEXT_MAX];
    size_t tail_length = strlen(tail);
    assert(status != CISTERN_OK && tail_length < TAIL_MAX);
    format_line(line, sizeof line - tail_length, fmt, args);
    size_t length = strlen(line);
    memcpy(err->text, line, length);
    memcpy(err->text + length, tail, tail_length + 1);
    err->status = status;
    err->os_errno = 0;
    err->has_offset = 0;
    err->offset = 0;
    err->frame_count = 0;
}

cistern_status base_fail(cistern_error *err, cistern_status status, const char *fmt, ...)
{
    if (err) {
        va_list args;
        va_start(args, fmt);
        set_text(err, status, "", fmt, args);
        va_end(args);
    }
    return status;
}

cistern_status base_fail_at(cistern_error *err, cistern_status status, uint64_t offset, const char *fmt, ...)
{
    if (err) {
        char tail[TAIL_MAX];
        va_list args;
        snprintf(tail, sizeof tail, " at byte %" PRIu64, offset);
        va_start(args, fmt);
        set_text(err, status, tail, fmt, args);
        va_end(args);
        err->has_offset = 1;
        err->offset = offset;
    }
    return status;
}

static cistern_status status_of_errno(int os_errno)
{
    switch (os_errno) {
    case ENOSPC:
    case EDQUOT:
        return CISTERN_NO_SPACE;
    case EACCES:
    case EPERM:
    case EROFS:
        return CISTERN_DENIED;
    case ENOENT:
    case ENOTDIR:
        return CISTERN_NOT_FOUND;
    case ENOMEM:
        return CISTERN_NO_MEMORY;
    case EINTR:
    case ECANCELED:
        return CISTERN_CANCELLED;
    default:
        return CISTERN_UNEXPECTED;
    }
}

cistern_status base_fail_errno(cistern_error *err, int os_errno, const char *fmt, ...)
{
    cistern_status status = status_of_errno(os_errno);
    if (err) {
        char tail[TAIL_MAX];
        va_list args;
        /* Neither translated nor kept in a buffer that threads share, unlike strerror. */
        const char *text = strerrordesc_np(os_errno);
        if (text)
            snprintf(tail, sizeof tail, ": %s", text);
        else
            snprintf(tail, sizeof tail, ": error number %d", os_errno);
        va_start(args, fmt);
        set_text(err, status, tail, fmt, args);
        va_end(args);
        err->os_errno = os_errno;
    }
    return status;
}

cistern_status base_fail_memory(cistern_error *err, size_t bytes)
{
    return base_fail(err, CISTERN_NO_MEMORY, "out of memory: %zu bytes wanted", bytes);
}

cistern_status base_frame(cistern_error *err, cistern_status status, const char *fmt, ...)
{
    if (!err || status == CISTERN_OK)
        return status;
    if (err->status == CISTERN_OK)
        base_fail(err, status, "%s", cistern_status_text(status));
    char line[CISTERN_ERROR_FRAME_MAX];
    va_list args;
    va_start(args, fmt);
    format_line(line, sizeof line, fmt, args);
    va_end(args);
    unsigned place = err->frame_count < CISTERN_ERROR_FRAMES ? err->frame_count++ : CISTERN_ERROR_FRAMES - 1;
    memcpy(err->frame[place], line, strlen(line) + 1);
    err->status = status;
    return status;
}

void base_error_clear(cistern_error *err)
{
    if (!err)
        return;
    static const cistern_error none = CISTERN_ERROR_INIT;
    *err = none;
}

/* Append as many whole characters of `text` as fit; *used counts what is there, *needed what would be. */
static void append(char *out, size_t size, size_t *used, size_t *needed, const char *text)
{
    size_t n = strlen(text);
    bool cut_before = *used < *needed;
    *needed += n;
    if (size == 0 || cut_before)
        return;
    size_t fits = size - 1 - *used;
    size_t take = n <= fits ? n : whole_characters(text, fits);
    memcpy(out + *used, text, take);
    *used += take;
    out[*used] = '\0';
}

size_t cistern_error_format(const cistern_error *err, char *out, size_t size)
{
    size_t used = 0, needed = 0;
    if (size > 0)
        out[0] = '\0';
    if (!err || err->status == CISTERN_OK)
        return 0;
    for (unsigned i = err->frame_count; i > 0; i--) {
        append(out, size, &used, &needed, err->frame[i - 1]);
        append(out, size, &used, &needed, ": ");
    }
    append(out, size, &used, &needed, err->text[0] ? err->text : cistern_status_text(err->status));
    return needed;
}
