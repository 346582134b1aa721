/* Tables of text: columns as wide as their widest cell, two spaces between them.
 *
 * Invariants
 *  1. Cells are escaped when they are put, and measured in columns of a terminal, not in bytes.
 *  2. On a terminal a line is never wider than it: columns marked `shrinks` are cut, with a sign at the cut. Into a file
 *     or a pipe nothing is ever cut.
 *  3. No line ends with spaces.
 */
#ifndef TERM_TABLE_H
#define TERM_TABLE_H

#include "term_stream.h"

#define TERM_TABLE_COLUMNS_MAX 16

typedef struct term_column {
    const char *title; /* our own words; NULL in all columns: no line of titles */
    bool right;        /* align to the right: numbers */
    bool shrinks;      /* may be cut on a narrow terminal */
} term_column;

typedef struct term_table term_table;

/** @param columns  count of them (1 to TERM_TABLE_COLUMNS_MAX), borrowed until the table is freed.
 *  @retval NO_MEMORY. The caller frees it. */
cistern_status term_table_new(const term_column *columns, size_t count, term_table **out,
                              cistern_error *err) CISTERN_MUST_CHECK;
void term_table_free(term_table *table); /* NULL allowed */

/** The next cell, from left to right; after the last column the next row begins. Out of memory is told by term_table_print. */
void term_table_put(term_table *table, const char *text);
void term_table_put_styled(term_table *table, term_style style, const char *text);
void term_table_printf(term_table *table, const char *fmt, ...) CISTERN_PRINTF(2, 3); /* at most 255 bytes */

/** Write all rows, each after `indent` spaces. A row that is not complete is left out. @retval NO_MEMORY a cell could not be kept. */
cistern_status term_table_print(const term_table *table, unsigned indent, term_stream *s,
                                cistern_error *err) CISTERN_MUST_CHECK;

#endif
