/* A version as JSON and as text: see cli_show.h. */
#include "cli_show.h"
#include <stdio.h>
#include <string.h>

void cli_show_aliases(const cistern_version *v, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < cistern_version_alias_count(v) && used < size; i++) {
        snprintf(out + used, size - used, "%s%s", used ? ", " : "", cistern_version_alias(v, i));
        used += strlen(out + used);
    }
}

static void put_three(term_json *j, const char *key, const float values[3])
{
    term_json_array(j, key);
    for (int i = 0; i < 3; i++)
        term_json_float(j, NULL, values[i]);
    term_json_end(j);
}

static void put_facts(term_json *j, const cistern_version *v)
{
    cistern_facts f = {.size = sizeof f};
    cistern_version_facts(v, &f);
    term_json_object(j, "facts");
    term_json_text_or_null(j, "architecture", f.architecture);
    term_json_text_or_null(j, "architecture_source", f.architecture_source);
    if (f.kind && f.kind[0]) /* told by the tensor index, which a listing does not open */
        term_json_text(j, "kind", f.kind);
    term_json_text_or_null(j, "preset", f.preset);
    term_json_text_or_null(j, "preprocess_source", f.preprocess_source);
    term_json_u64(j, "input_height", f.input_height);
    term_json_u64(j, "input_width", f.input_width);
    term_json_text_or_null(j, "resize", f.resize);
    term_json_u64(j, "resize_short", f.resize_short);
    term_json_u64(j, "resize_height", f.resize_height);
    term_json_u64(j, "resize_width", f.resize_width);
    term_json_text_or_null(j, "interpolation", f.interpolation);
    term_json_text_or_null(j, "sampling", f.sampling);
    term_json_text_or_null(j, "colour", f.colour);
    term_json_text_or_null(j, "scale", f.scale);
    put_three(j, "mean", f.mean);
    put_three(j, "std", f.std);
    if (f.bn_epsilon > 0) {
        term_json_double(j, "bn_epsilon", f.bn_epsilon);
        term_json_text_or_null(j, "bn_epsilon_source", f.bn_epsilon_source);
    }
    if (f.data_format && f.data_format[0])
        term_json_text(j, "data_format", f.data_format);
    term_json_text_or_null(j, "head", f.head);
    term_json_u64(j, "classes", f.classes);
    term_json_text_or_null(j, "label_set", f.label_set);
    term_json_text_or_null(j, "labels_source", f.labels_source);
    term_json_end(j);
}

static void put_files(term_json *j, const cistern_version *v)
{
    cistern_file file = {.size = sizeof file};
    term_json_array(j, "files");
    for (size_t i = 0; cistern_version_file(v, i, &file); i++) {
        term_json_object(j, NULL);
        term_json_text(j, "path", file.path);
        term_json_text(j, "sha256", file.sha256);
        term_json_u64(j, "bytes", file.bytes);
        term_json_end(j);
    }
    term_json_end(j);
}

bool cli_show_accuracy(const cistern_published *p, char *out, size_t size)
{
    if (!p->accuracy_top_1)
        return false;
    snprintf(out, size, "%.3f %% top 1, %.3f %% top 5", p->accuracy_top_1 / 1e3, p->accuracy_top_5 / 1e3);
    return true;
}

/* Only what is in the table has this member. */
static void put_published(term_json *j, const cistern_version *v)
{
    cistern_published p = {.size = sizeof p};
    if (!cistern_version_published(v, &p))
        return;
    term_json_object(j, "published");
    term_json_text(j, "publisher", p.publisher);
    term_json_text(j, "model", p.model);
    term_json_text(j, "weights", p.weights);
    term_json_text(j, "url", p.url);
    term_json_text(j, "licence", p.licence);
    if (p.accuracy_top_1) {
        term_json_double(j, "accuracy_top_1", p.accuracy_top_1 / 1e3);
        term_json_double(j, "accuracy_top_5", p.accuracy_top_5 / 1e3);
    }
    term_json_end(j);
}

void cli_show_json(term_json *j, const cistern_version *v)
{
    term_json_text(j, "reference", cistern_version_reference(v));
    term_json_text(j, "name", cistern_version_name(v));
    term_json_text(j, "tag", cistern_version_tag(v));
    term_json_text(j, "digest", cistern_version_digest(v));
    term_json_array(j, "aliases");
    for (size_t i = 0; i < cistern_version_alias_count(v); i++)
        term_json_text(j, NULL, cistern_version_alias(v, i));
    term_json_end(j);
    term_json_u64(j, "bytes", cistern_version_bytes(v));
    term_json_bool(j, "here", cistern_version_is_here(v) != 0);
    term_json_text_or_null(j, "origin", cistern_version_origin(v));
    term_json_text_or_null(j, "when", cistern_version_when(v));
    term_json_text_or_null(j, "who", cistern_version_who(v));
    put_facts(j, v);
    put_published(j, v);
    if (cistern_version_note(v, 0)) {
        term_json_array(j, "notes");
        for (size_t i = 0; cistern_version_note(v, i); i++)
            term_json_text(j, NULL, cistern_version_note(v, i));
        term_json_end(j);
    }
    put_files(j, v);
}
