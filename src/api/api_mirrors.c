/* Mirrors among the options; see priv/api_mirrors.h. */
#include "priv/api_mirrors.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "base_mem.h"

static void free_text(const char *text)
{
    free((char *)(uintptr_t)text);
}

void api_mirrors_clear(api_mirrors *m)
{
    for (size_t i = 0; i < m->count; i++) {
        free_text(m->pairs[i].prefix);
        free_text(m->pairs[i].replacement);
        free(m->names[i]);
        free(m->sources[i]);
    }
    m->count = 0;
}

/* Texts of a pair, made or none. */
typedef struct texts {
    char *prefix, *replacement, *name, *source;
} texts;

static cistern_status make_texts(const char *prefix, const char *replacement, const char *source, texts *out,
                                 cistern_error *err)
{
    cistern_status st = net_mirror_check(prefix, replacement, &out->prefix, err);
    if (st == CISTERN_OK)
        st = base_strdup(replacement, &out->replacement, err);
    if (st == CISTERN_OK)
        st = base_asprintf(&out->name, err, "mirror %s", out->prefix);
    if (st == CISTERN_OK)
        st = base_strdup(source, &out->source, err);
    if (st == CISTERN_OK)
        return st;
    free(out->prefix);
    free(out->replacement);
    free(out->name);
    return st;
}

cistern_status api_mirrors_put(api_mirrors *m, const char *prefix, const char *replacement,
                               const char *source, const char *strongest, cistern_error *err)
{
    texts made = {NULL, NULL, NULL, NULL};
    size_t i = 0;
    cistern_status st = make_texts(prefix, replacement, source, &made, err);
    if (st != CISTERN_OK)
        return st;
    while (i < m->count && strcmp(m->pairs[i].prefix, made.prefix) != 0)
        i++;
    bool keep = i < m->count && strcmp(m->sources[i], strongest) == 0 && strcmp(source, strongest) != 0;
    if (i == API_MIRRORS_MAX)
        st = base_fail(err, CISTERN_USAGE, "more than %d mirrors", API_MIRRORS_MAX);
    if (st == CISTERN_OK && !keep) {
        texts old = {NULL, NULL, NULL, NULL};
        if (i < m->count)
            old = (texts){(char *)(uintptr_t)m->pairs[i].prefix, (char *)(uintptr_t)m->pairs[i].replacement,
                          m->names[i], m->sources[i]};
        m->pairs[i] = (net_mirror){made.prefix, made.replacement};
        m->names[i] = made.name;
        m->sources[i] = made.source;
        m->count += i == m->count;
        made = old;
    }
    free(made.prefix);
    free(made.replacement);
    free(made.name);
    free(made.source);
    return st;
}

static char *trim(char *text)
{
    size_t n = strlen(text);
    while (n > 0 && (text[n - 1] == ' ' || text[n - 1] == '\t'))
        text[--n] = '\0';
    while (*text == ' ' || *text == '\t')
        text++;
    return text;
}

cistern_status api_mirrors_put_line(api_mirrors *m, const char *line, const char *source,
                                    const char *strongest, cistern_error *err)
{
    char *copy = NULL;
    cistern_status st = base_strdup(line, &copy, err);
    if (st != CISTERN_OK)
        return st;
    char *equals = strchr(copy, '=');
    if (equals) {
        *equals = '\0';
        st = api_mirrors_put(m, trim(copy), trim(equals + 1), source, strongest, err);
    } else {
        st = base_fail(err, CISTERN_USAGE, "a mirror is written: https://published/ = https://mirror/");
    }
    free(copy);
    return st;
}

bool api_mirrors_peek(const api_mirrors *m, size_t i, const char **name, const char **value,
                      const char **source)
{
    if (i >= m->count)
        return false;
    *name = m->names[i];
    *value = strchr(m->pairs[i].replacement, '@') ? "***" : m->pairs[i].replacement;
    *source = m->sources[i];
    return true;
}
