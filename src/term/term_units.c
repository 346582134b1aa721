/* Sizes and durations: see term_units.h. */
#include "term_units.h"
#include <inttypes.h>
#include <stdio.h>

static const char *const names[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
static const double scales[] = {1, 1e3, 1e6, 1e9, 1e12, 1e15, 1e18};
#define UNITS (sizeof names / sizeof names[0])

/* The largest unit in which the number, as it will be printed, is at least 1. */
static unsigned unit_of(uint64_t bytes)
{
    unsigned unit = 0;
    while (unit + 1 < UNITS && (double)bytes >= 0.99995 * scales[unit + 1])
        unit++;
    return bytes < 1000 ? 0 : unit;
}

void term_units_bytes(uint64_t bytes, char out[TERM_UNITS_MAX])
{
    unsigned unit = unit_of(bytes);
    if (unit == 0)
        snprintf(out, TERM_UNITS_MAX, "%" PRIu64 " B", bytes);
    else
        snprintf(out, TERM_UNITS_MAX, "%.1f %s", (double)bytes / scales[unit], names[unit]);
}

void term_units_bytes_of(uint64_t done, uint64_t total, char out[2 * TERM_UNITS_MAX])
{
    unsigned unit = unit_of(total);
    if (unit == 0)
        snprintf(out, 2 * TERM_UNITS_MAX, "%" PRIu64 "/%" PRIu64 " B", done, total);
    else
        snprintf(out, 2 * TERM_UNITS_MAX, "%.1f/%.1f %s", (double)done / scales[unit],
                 (double)total / scales[unit], names[unit]);
}

void term_units_duration(uint64_t milliseconds, char out[TERM_UNITS_MAX])
{
    uint64_t seconds = (milliseconds + 500) / 1000;
    if (milliseconds < 100)
        snprintf(out, TERM_UNITS_MAX, "%" PRIu64 " ms", milliseconds);
    else if (milliseconds < 59950)
        snprintf(out, TERM_UNITS_MAX, "%.1f s", (double)milliseconds / 1000);
    else if (seconds < 3600)
        snprintf(out, TERM_UNITS_MAX, "%" PRIu64 " min %02" PRIu64 " s", seconds / 60, seconds % 60);
    else
        snprintf(out, TERM_UNITS_MAX, "%" PRIu64 " h %02" PRIu64 " min", seconds / 3600, seconds % 3600 / 60);
}

void term_units_rate(double bytes_per_second, char out[TERM_UNITS_MAX])
{
    char size[TERM_UNITS_MAX];
    term_units_bytes(bytes_per_second > 0 && bytes_per_second < 1e18 ? (uint64_t)bytes_per_second : 0, size);
    snprintf(out, TERM_UNITS_MAX, "%.*s/s", TERM_UNITS_MAX - 4, size);
}
