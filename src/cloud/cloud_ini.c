/* Reading AWS's configuration files; see priv/cloud_ini.h. */
#include "priv/cloud_ini.h"
#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "base_mem.h"
#include "base_wipe.h"

#define EVERYWHERE "DEFAULT" /* configparser: what stands here holds in every section */

/* A section (key NULL) or a key of the section before it. */
typedef struct entry {
    char *name; /* of a section, else the key */
    char *value;
    size_t value_size; /* bytes allocated */
    int section;       /* of a key: the index of its section; of a section: -1 */
} entry;

struct cloud_ini {
    entry *entries;
    size_t count, capacity;
};

/* A line without its end. */
typedef struct line {
    const char *text;
    size_t n;
    size_t indent;
    size_t number;
} line;

/* Where the reading is. */
typedef struct reading {
    cloud_ini *ini;
    int section; /* -1: none yet */
    int key;     /* the entry that a line with more indent belongs to; -1: none */
    size_t indent;
    size_t blank; /* empty lines since then, which are part of a value that goes on */
} reading;

void cloud_ini_free(cloud_ini *ini)
{
    if (ini == NULL)
        return;
    for (size_t i = 0; i < ini->count; i++) {
        free(ini->entries[i].name);
        if (ini->entries[i].value != NULL)
            base_wipe(ini->entries[i].value, ini->entries[i].value_size);
        free(ini->entries[i].value);
    }
    free(ini->entries);
    free(ini);
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static line trimmed(const char *text, size_t n, size_t number)
{
    line l = {text, n, 0, number};
    while (l.n > 0 && is_space(l.text[0]))
        l.text++, l.n--, l.indent++;
    while (l.n > 0 && is_space(l.text[l.n - 1]))
        l.n--;
    return l;
}

static cistern_status add_entry(cloud_ini *ini, const char *name, size_t n, int section, cistern_error *err)
{
    if (ini->count == CLOUD_INI_ENTRIES_MAX)
        return base_fail(err, CISTERN_USAGE, "more than %u sections and keys", CLOUD_INI_ENTRIES_MAX);
    if (ini->count == ini->capacity) {
        size_t grown = ini->capacity > 0 ? 2 * ini->capacity : 32;
        entry *more = realloc(ini->entries, grown * sizeof *more);
        if (more == NULL)
            return base_fail_memory(err, grown * sizeof *more);
        ini->entries = more;
        ini->capacity = grown;
    }
    entry *e = &ini->entries[ini->count];
    *e = (entry){NULL, NULL, 0, section};
    cistern_status status = base_asprintf(&e->name, err, "%.*s", (int)n, name);
    if (status == CISTERN_OK)
        ini->count++;
    return status;
}

/* Append to a value; a secret's old copy is wiped. */
static cistern_status extend(entry *e, size_t newlines, const char *text, size_t n, cistern_error *err)
{
    size_t old = e->value != NULL ? strlen(e->value) : 0;
    char *grown = NULL;
    cistern_status status = base_calloc(1, old + newlines + n + 1, &grown, err);
    if (status != CISTERN_OK)
        return status;
    if (old > 0)
        memcpy(grown, e->value, old);
    memset(grown + old, '\n', newlines);
    if (n > 0)
        memcpy(grown + old + newlines, text, n);
    if (e->value != NULL)
        base_wipe(e->value, e->value_size);
    free(e->value);
    e->value = grown;
    e->value_size = old + newlines + n + 1;
    return CISTERN_OK;
}

static int find(const cloud_ini *ini, const char *name, int section)
{
    for (size_t i = 0; i < ini->count; i++)
        if (ini->entries[i].section == section && strcmp(ini->entries[i].name, name) == 0)
            return (int)i;
    return -1;
}

/* `[name]`: up to the last bracket, as configparser has it; what follows is not looked at. */
static cistern_status begin_section(reading *r, const line *l, cistern_error *err)
{
    size_t end = l->n;
    while (end > 1 && l->text[end - 1] != ']')
        end--;
    if (end <= 2)
        return base_fail(err, CISTERN_USAGE, "'[section]' is expected");
    cistern_status status = add_entry(r->ini, l->text + 1, end - 2, -1, err);
    if (status != CISTERN_OK)
        return status;
    int added = (int)r->ini->count - 1;
    const char *name = r->ini->entries[added].name;
    r->section = find(r->ini, name, -1);
    r->key = -1;
    if (r->section != added && strcmp(name, EVERYWHERE) != 0)
        return base_fail(err, CISTERN_USAGE, "the section [%s] comes twice", name);
    return CISTERN_OK;
}

static cistern_status begin_key(reading *r, const line *l, cistern_error *err)
{
    size_t n = 0;
    while (n < l->n && l->text[n] != '=' && l->text[n] != ':')
        n++;
    if (n == l->n)
        return base_fail(err, CISTERN_USAGE, "'key = value' is expected");
    line value = trimmed(l->text + n + 1, l->n - n - 1, l->number);
    while (n > 0 && is_space(l->text[n - 1]))
        n--;
    if (n == 0)
        return base_fail(err, CISTERN_USAGE, "there is no key before the '='");
    if (r->section < 0)
        return base_fail(err, CISTERN_USAGE, "a key before the first '[section]'");
    cistern_status status = add_entry(r->ini, l->text, n, r->section, err);
    if (status != CISTERN_OK)
        return status;
    r->key = (int)r->ini->count - 1;
    entry *e = &r->ini->entries[r->key];
    for (char *c = e->name; *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
    if (find(r->ini, e->name, r->section) != r->key)
        return base_fail(err, CISTERN_USAGE, "the key '%s' comes twice in its section", e->name);
    return extend(e, 0, value.text, value.n, err);
}

static cistern_status take_line(reading *r, const line *l, cistern_error *err)
{
    if (l->n > 0 && (l->text[0] == '#' || l->text[0] == ';'))
        return CISTERN_OK;
    if (l->n == 0) {
        r->blank++;
        return CISTERN_OK;
    }
    size_t blank = r->blank;
    r->blank = 0;
    if (r->key >= 0 && l->indent > r->indent)
        return extend(&r->ini->entries[r->key], blank + 1, l->text, l->n, err);
    r->indent = l->indent;
    return l->text[0] == '[' && memchr(l->text, ']', l->n) != NULL ? begin_section(r, l, err)
                                                                   : begin_key(r, l, err);
}

cistern_status cloud_ini_parse(const char *text, size_t n, cloud_ini **out, cistern_error *err)
{
    reading r = {NULL, -1, -1, 0, 0};
    size_t number = 0;
    cistern_status status = base_calloc(1, sizeof *r.ini, &r.ini, err);
    if (status == CISTERN_OK && n > 0 && memchr(text, '\0', n) != NULL)
        status = base_fail(err, CISTERN_USAGE, "holds a zero byte");
    for (const char *p = text, *end = text + n; status == CISTERN_OK && p < end;) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        size_t length = (size_t)((stop != NULL ? stop : end) - p);
        line l = trimmed(p, length, ++number);
        status = take_line(&r, &l, err);
        p += length + (stop != NULL);
        if (status == CISTERN_USAGE)
            status = base_frame(err, status, "line %zu", number);
    }
    if (status != CISTERN_OK) {
        cloud_ini_free(r.ini);
        return status;
    }
    *out = r.ini;
    return CISTERN_OK;
}

int cloud_ini_section(const cloud_ini *ini, const char *name)
{
    return find(ini, name, -1);
}

/* The second word of a section's name, as a shell splits words; quotes are the only thing of a shell that is known. */
static bool second_word_is(const char *text, const char *name)
{
    size_t n = strlen(name);
    while (is_space(*text))
        text++;
    char quote = *text == '"' || *text == '\'' ? *text++ : '\0';
    if (strncmp(text, name, n) != 0)
        return false;
    text += n;
    if (quote != '\0' && *text++ != quote)
        return false;
    while (is_space(*text))
        text++;
    return *text == '\0';
}

int cloud_ini_named_section(const cloud_ini *ini, const char *kind, const char *name)
{
    size_t n = strlen(kind);
    bool profile = strcmp(kind, "profile") == 0;
    int found = -1;
    for (size_t i = 0; i < ini->count; i++) {
        const entry *e = &ini->entries[i];
        if (e->section >= 0)
            continue;
        bool named =
            strncmp(e->name, kind, n) == 0 && is_space(e->name[n]) && second_word_is(e->name + n, name);
        bool plain = profile && strcmp(name, "default") == 0 && strcmp(e->name, "default") == 0;
        if (named || plain)
            found = (int)i;
    }
    return found;
}

const char *cloud_ini_value(const cloud_ini *ini, int section, const char *key)
{
    int everywhere = find(ini, EVERYWHERE, -1);
    int found = section >= 0 ? find(ini, key, section) : -1;
    if (found < 0 && section >= 0 && everywhere >= 0)
        found = find(ini, key, everywhere);
    return found >= 0 ? ini->entries[found].value : NULL;
}

cistern_status cloud_ini_nested(const char *value, const char *key, char *out, size_t size, bool *out_found,
                                cistern_error *err)
{
    *out_found = false;
    for (const char *p = value; value[0] == '\n' && *p != '\0';) {
        size_t length = strcspn(p, "\n");
        line l = trimmed(p, length, 0);
        const char *equals = l.n > 0 ? memchr(l.text, '=', l.n) : NULL;
        if (l.n > 0 && equals == NULL)
            return base_fail(err, CISTERN_USAGE, "a line of an indented list without '='");
        line name = equals != NULL ? trimmed(l.text, (size_t)(equals - l.text), 0) : l;
        if (equals != NULL && name.n == strlen(key) && memcmp(name.text, key, name.n) == 0) {
            line v = trimmed(equals + 1, (size_t)(l.text + l.n - equals - 1), 0);
            if (v.n >= size)
                return base_fail(err, CISTERN_USAGE, "the value of '%s' has %zu bytes, at most %zu allowed",
                                 key, v.n, size - 1);
            memcpy(out, v.text, v.n);
            out[v.n] = '\0';
            *out_found = true;
        }
        p += length + (p[length] == '\n');
    }
    return CISTERN_OK;
}
