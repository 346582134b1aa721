/* Names out of file names; see priv/origin_name.h.
 *
 * A NAME's part is [a-z0-9]+([._-][a-z0-9]+)*, and some words are kept for addresses. The rule for whole references is
 * the catalogue's; what is made here is one part that obeys it.
 */
#include "priv/origin_name.h"
#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "base_mem.h"

#define NAME_MAX_BYTES 128 /* of a NAME */

static bool ends(const char *text, const char *with)
{
    size_t n = strlen(text), m = strlen(with);
    for (size_t i = 0; i < m && n >= m; i++)
        if (tolower((unsigned char)text[n - m + i]) != with[i])
            return false;
    return n >= m;
}

/* Whether n characters end in `-<8 hex>`, with something before it. */
static bool has_hex_end(const char *text, size_t n)
{
    if (n < ORIGIN_PREFIX_HEX + 2 || text[n - ORIGIN_PREFIX_HEX - 1] != '-')
        return false;
    for (size_t i = n - ORIGIN_PREFIX_HEX; i < n; i++)
        if (!isxdigit((unsigned char)text[i]))
            return false;
    return true;
}

void origin_name_prefix(const char *file_name, char out[ORIGIN_PREFIX_HEX + 1])
{
    size_t n = strlen(file_name) - (ends(file_name, ".pth") ? 4 : ends(file_name, ".pt") ? 3 : 0);
    out[0] = '\0';
    if (n == strlen(file_name) || !has_hex_end(file_name, n))
        return;
    for (size_t i = 0; i < ORIGIN_PREFIX_HEX; i++)
        out[i] = (char)tolower((unsigned char)file_name[n - ORIGIN_PREFIX_HEX + i]);
    out[ORIGIN_PREFIX_HEX] = '\0';
}

static bool is_part(const char *name)
{
    bool word = false; /* the character before was a letter or digit */
    for (; *name != '\0'; name++) {
        bool now = (*name >= 'a' && *name <= 'z') || (*name >= '0' && *name <= '9');
        if (!now && (!word || strchr("._-", *name) == NULL))
            return false;
        word = now;
    }
    return word;
}

static bool is_kept(const char *name)
{
    static const char *const kept[] = {"torchvision", "keras", "hf", "http", "https",
                                       "s3",          "gs",    "az", "file", "oci"};
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
        if (strcmp(name, kept[i]) == 0)
            return true;
    return false;
}

cistern_status origin_name_default(const char *file_name, const char *shown, char **out, cistern_error *err)
{
    char *name = NULL;
    cistern_status status = base_strdup(file_name, &name, err);
    if (status != CISTERN_OK)
        return status;
    for (char *c = name; *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
    char *dot = strrchr(name, '.');
    if (dot != NULL)
        *dot = '\0';
    size_t n = strlen(name);
    if (has_hex_end(name, n))
        name[n - ORIGIN_PREFIX_HEX - 1] = '\0';
    if (!is_part(name) || is_kept(name) || strlen(name) > NAME_MAX_BYTES) {
        status = base_fail(err, CISTERN_USAGE,
                           "%s: '%s' cannot be the name of a model: choose one with --as NAME", shown, name);
        free(name);
        return status;
    }
    *out = name;
    return CISTERN_OK;
}
