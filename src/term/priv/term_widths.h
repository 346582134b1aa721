/* Which characters take no column of a terminal and which take two. The tables are generated. */
#ifndef TERM_WIDTHS_H
#define TERM_WIDTHS_H

#include <stddef.h>
#include <stdint.h>

struct term_range {
    uint32_t first, last;
};
extern const struct term_range term_widths_none[], term_widths_two[];
extern const size_t term_widths_none_count, term_widths_two_count;

#endif
