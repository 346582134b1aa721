/* Tables: see term_table.h. */
#include "term_table.h"
#include "base_mem.h"
#include "term_text.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GAP          2 /* columns between two columns */
#define SHRUNK_LEAST 8 /* columns that a cut column keeps */

typedef struct table_cell {
    char *text; /* escaped */
    size_t width;
    term_style style;
} table_cell;

struct term_table {
    const term_column *columns;
    size_t column_count;
    table_cell *cells;
    size_t count, capacity;
    bool out_of_memory;
};

cistern_status term_table_new(const term_column *columns, size_t count, term_table **out, cistern_error *err)
{
    term_table *table = NULL;
    if (count == 0 || count > TERM_TABLE_COLUMNS_MAX)
        return base_fail(err, CISTERN_USAGE, "a table of %zu columns, 1 to %d allowed", count,
                         TERM_TABLE_COLUMNS_MAX);
    cistern_status status = base_calloc(1, sizeof *table, &table, err);
    if (status != CISTERN_OK)
        return status;
    table->columns = columns;
    table->column_count = count;
    *out = table;
    return CISTERN_OK;
}

void term_table_free(term_table *table)
{
    if (!table)
        return;
    for (size_t i = 0; i < table->count; i++)
        free(table->cells[i].text);
    free(table->cells);
    free(table);
}

static bool grow(term_table *table)
{
    if (table->count < table->capacity)
        return true;
    size_t bytes, capacity = table->capacity ? table->capacity * 2 : 64;
    if (capacity < table->capacity || !base_mul_size(capacity, sizeof(table_cell), &bytes))
        return false;
    table_cell *cells = realloc(table->cells, bytes);
    if (!cells)
        return false;
    table->cells = cells;
    table->capacity = capacity;
    return true;
}

void term_table_put_styled(term_table *table, term_style style, const char *text)
{
    size_t n = strlen(text), needed = term_text_escape(text, n, NULL, 0);
    char *escaped = grow(table) ? malloc(needed + 1) : NULL;
    if (!escaped) {
        table->out_of_memory = true;
        return;
    }
    term_text_escape(text, n, escaped, needed + 1);
    table->cells[table->count++] = (table_cell){escaped, term_text_columns(escaped), style};
}

void term_table_put(term_table *table, const char *text)
{
    term_table_put_styled(table, TERM_PLAIN, text);
}

void term_table_printf(term_table *table, const char *fmt, ...)
{
    char text[256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    term_table_put(table, text);
}

static bool has_titles(const term_table *table)
{
    for (size_t c = 0; c < table->column_count; c++)
        if (table->columns[c].title)
            return true;
    return false;
}

/* Take columns away, one at a time from the widest column that may shrink, until the line fits. */
static void shrink(const term_table *table, size_t *widths, size_t indent, size_t limit)
{
    size_t total = indent + GAP * (table->column_count - 1);
    for (size_t c = 0; c < table->column_count; c++)
        total += widths[c];
    while (total > limit) {
        size_t widest = table->column_count;
        for (size_t c = 0; c < table->column_count; c++)
            if (table->columns[c].shrinks && widths[c] > SHRUNK_LEAST &&
                (widest == table->column_count || widths[c] > widths[widest]))
                widest = c;
        if (widest == table->column_count)
            return;
        widths[widest]--;
        total--;
    }
}

static void measure(const term_table *table, size_t *widths, size_t indent, const term_stream *s)
{
    for (size_t c = 0; c < table->column_count; c++)
        widths[c] = table->columns[c].title ? term_text_columns(table->columns[c].title) : 0;
    for (size_t i = 0; i < table->count; i++) {
        size_t c = i % table->column_count;
        if (table->cells[i].width > widths[c])
            widths[c] = table->cells[i].width;
    }
    if (s->terminal)
        shrink(table, widths, indent, term_stream_columns(s));
}

static void put_spaces(term_stream *s, size_t n)
{
    for (; n > 0; n--)
        term_stream_put(s, " ");
}

/* One cell; returns the spaces that are owed before whatever follows in this line. */
static size_t put_cell(term_stream *s, const table_cell *cell, size_t width, bool right, size_t owed)
{
    size_t shown = cell->width <= width ? cell->width : width;
    if (shown == 0)
        return owed + width + GAP;
    put_spaces(s, owed + (right ? width - shown : 0));
    if (cell->style != TERM_PLAIN)
        term_stream_style(s, cell->style);
    if (cell->width <= width) {
        term_stream_put(s, cell->text);
    } else {
        size_t fit = term_text_fit(cell->text, width - 1);
        term_stream_put_bytes(s, cell->text, fit);
        term_stream_put(s, s->utf8 ? "…" : "~");
    }
    if (cell->style != TERM_PLAIN)
        term_stream_style(s, TERM_PLAIN);
    return GAP + (right ? 0 : width - shown);
}

static void put_titles(const term_table *table, const size_t *widths, unsigned indent, term_stream *s)
{
    size_t owed = indent;
    for (size_t c = 0; c < table->column_count; c++) {
        char text[64];
        snprintf(text, sizeof text, "%s", table->columns[c].title ? table->columns[c].title : "");
        table_cell title = {text, term_text_columns(text), TERM_BOLD};
        owed = put_cell(s, &title, widths[c], table->columns[c].right, owed);
    }
    term_stream_put(s, "\n");
}

cistern_status term_table_print(const term_table *table, unsigned indent, term_stream *s, cistern_error *err)
{
    size_t widths[TERM_TABLE_COLUMNS_MAX];
    if (table->out_of_memory)
        return base_fail(err, CISTERN_NO_MEMORY, "out of memory for a table of %zu cells", table->count);
    measure(table, widths, indent, s);
    if (has_titles(table))
        put_titles(table, widths, indent, s);
    size_t whole = table->count - table->count % table->column_count;
    size_t owed = indent;
    for (size_t i = 0; i < whole; i++) {
        size_t c = i % table->column_count;
        owed = put_cell(s, &table->cells[i], widths[c], table->columns[c].right, owed);
        if (c + 1 == table->column_count) {
            term_stream_put(s, "\n");
            owed = indent;
        }
    }
    return CISTERN_OK;
}
