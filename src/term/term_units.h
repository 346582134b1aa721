/* Sizes, durations and rates for people. Decimal units (1 MB is 1,000,000 bytes), a point, no locale. */
#ifndef TERM_UNITS_H
#define TERM_UNITS_H

#include <stdint.h>

#define TERM_UNITS_MAX 32 /* bytes that any of these texts needs, with the zero */

/** "0 B", "999 B", "1.0 kB", "553.4 MB", "1.2 TB". Threads: any. */
void term_units_bytes(uint64_t bytes, char out[TERM_UNITS_MAX]);
/** Two sizes in the unit of the second: "343.1/553.4 MB". Threads: any. */
void term_units_bytes_of(uint64_t done, uint64_t total, char out[2 * TERM_UNITS_MAX]);
/** "12 ms", "4.2 s", "1 min 12 s", "2 h 03 min". Threads: any. */
void term_units_duration(uint64_t milliseconds, char out[TERM_UNITS_MAX]);
/** "131.2 MB/s". Threads: any. */
void term_units_rate(double bytes_per_second, char out[TERM_UNITS_MAX]);

#endif
