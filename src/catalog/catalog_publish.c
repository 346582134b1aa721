/* Publishing a version; see catalog_publish.h for the states and what each arrow leaves behind. */
#include "catalog_publish.h"
#include <inttypes.h>
#include "base_mem.h"
#include "catalog_alias.h"
#include "catalog_tags.h"
#include "priv/catalog_document.h"
#include "priv/catalog_manifest.h"
#include "priv/catalog_moves.h"

/* One publication under way. */
typedef struct publishing {
    store *s;
    const catalog_publication *p;
    catalog_model model;
    catalog_file *files; /* of p, sorted by path */
    json_t *facts;
    catalog_tags tags;     /* as of this round */
    catalog_tags compared; /* as of the round before: these versions were looked at already */
} publishing;

static cistern_status fail_other_content(const catalog_version *there, const publishing *w,
                                         cistern_error *err)
{
    char digest[BASE_SHA256_HEX];
    cistern_status st = catalog_version_digest(w->files, w->p->file_count, digest, err);
    if (st != CISTERN_OK)
        return st;
    if (strcmp(digest, there->digest) == 0)
        return base_fail(
            err, CISTERN_CONFLICT,
            "version %s of '%s' exists with the same bytes (sha256:%s) and other facts; leave the "
            "version out to add the next one",
            there->tag, there->name, digest);
    return base_fail(
        err, CISTERN_CONFLICT,
        "version %s of '%s' exists with other content: it is sha256:%s, this is sha256:%s; leave "
        "the version out to add the next one",
        there->tag, there->name, there->digest, digest);
}

/* Whether a version there is what is to be published. */
static cistern_status is_same(const publishing *w, const catalog_version *v, bool *out, cistern_error *err)
{
    *out = false;
    if (!catalog_files_equal(v->files, v->file_count, w->files, w->p->file_count))
        return CISTERN_OK;
    return catalog_facts_same_declared(v->facts, w->facts, out, err);
}

/* The newest live version equal to what is to be published, of those not yet compared. */
static cistern_status find_same(const publishing *w, catalog_version *out, bool *out_found,
                                cistern_error *err)
{
    cistern_status st = CISTERN_OK;
    *out_found = false;
    for (size_t i = 0; i < w->tags.version_count && st == CISTERN_OK; i++) {
        const catalog_tag *tag = &w->tags.versions[i];
        catalog_version v;
        bool found = false, same = false;
        if (tag->removed || catalog_tags_find(&w->compared, tag->text))
            continue;
        catalog_version_init(&v);
        st = catalog_version_load(w->s, &w->model, tag->text, &v, &found, err);
        if (st == CISTERN_DAMAGED) { /* a document that cannot be read is equal to nothing */
            base_error_clear(err);
            st = CISTERN_OK;
            found = false;
        }
        if (st == CISTERN_OK && found)
            st = is_same(w, &v, &same, err);
        if (same && (!*out_found || catalog_version_order(out, &v) < 0)) {
            *out_found = true;
            catalog_version_take(&v, out);
        }
        catalog_version_clear(&v);
    }
    return st;
}

static cistern_status check_tag_free(const catalog_tags *tags, const char *name, const char *tag,
                                     cistern_error *err)
{
    if (strcmp(tag, CATALOG_LATEST) == 0 || catalog_tags_has_alias(tags, tag))
        return base_fail(
            err, CISTERN_CONFLICT,
            "'%s' is an alias of '%s' and cannot be a version; add the version without it, then: "
            "cistern tag %s %s",
            tag, name, name, tag);
    if (catalog_tags_has_removed(tags, tag))
        return base_fail(err, CISTERN_CONFLICT,
                         "version %s of '%s' was removed, and a tag is never used again", tag, name);
    return CISTERN_OK;
}

/* An explicit tag: the version that has it already, if it is the same. */
static cistern_status find_tagged(const publishing *w, catalog_version *out, bool *out_found,
                                  cistern_error *err)
{
    catalog_version v;
    bool same = false;
    *out_found = false;
    cistern_status st = check_tag_free(&w->tags, w->model.name, w->p->tag, err);
    if (st != CISTERN_OK || !catalog_tags_has_live(&w->tags, w->p->tag))
        return st;
    catalog_version_init(&v);
    st = catalog_version_load(w->s, &w->model, w->p->tag, &v, out_found, err);
    if (st == CISTERN_OK && *out_found)
        st = is_same(w, &v, &same, err);
    if (st == CISTERN_OK && *out_found && !same)
        st = fail_other_content(&v, w, err);
    if (st == CISTERN_OK && *out_found)
        catalog_version_take(&v, out);
    catalog_version_clear(&v);
    return st;
}

static json_t *files_to_json(const catalog_file *files, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *item = json_pack("{s:s, s:I, s:s}", "path", files[i].path, "size", (json_int_t)files[i].size,
                                 "sha256", files[i].sha256);
        int bad = 0;
        if (item && files[i].chunks_sha256[0])
            bad = json_object_set_new(item, "chunks_sha256", json_string(files[i].chunks_sha256));
        if (json_array_append_new(list, item) != 0 || bad) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static cistern_status compose(const publishing *w, const char *tag, json_t *d, cistern_error *err)
{
    const catalog_publication *p = w->p;
    cistern_status st = catalog_document_sign(d, p->who, NULL, err);
    if (st == CISTERN_OK)
        st = catalog_document_put(d, "format", json_integer(CATALOG_FORMAT), err);
    if (st == CISTERN_OK)
        st = catalog_document_put(d, "name", json_string(w->model.name), err);
    if (st == CISTERN_OK)
        st = catalog_document_put(d, "lineage", json_string(w->model.lineage), err);
    if (st == CISTERN_OK)
        st = catalog_document_put(d, "version", json_string(tag), err);
    if (st == CISTERN_OK)
        st = catalog_document_put(d, "sequence", json_integer((json_int_t)w->tags.documents + 1), err);
    if (st == CISTERN_OK)
        st = catalog_document_put(d, "files", files_to_json(w->files, p->file_count), err);
    if (st == CISTERN_OK)
        st = catalog_document_put(d, "facts", json_incref(w->facts), err);
    if (st == CISTERN_OK && p->origin)
        st = catalog_document_put_text(d, "origin", p->origin, CATALOG_TEXT_MAX, err);
    else if (st == CISTERN_OK)
        st = catalog_document_put(d, "origin", json_null(), err);
    return st;
}

/* Write the version document. @retval CONFLICT with *out_again: somebody else has just used that tag. */
static cistern_status create(const publishing *w, catalog_version *out, bool *out_again, cistern_error *err)
{
    char tag[CATALOG_TAG_MAX + 1], path[STORE_PATH_MAX], digest[BASE_SHA256_HEX];
    json_t *document = json_object();
    if (!document)
        return base_fail_memory(err, 0);
    cistern_status st = CISTERN_OK;
    if (w->p->tag)
        memcpy(tag, w->p->tag, strlen(w->p->tag) + 1);
    else if (w->tags.highest < CATALOG_NUMBER_MAX)
        snprintf(tag, sizeof tag, "%" PRIu32, w->tags.highest + 1);
    else
        st = base_fail(err, CISTERN_CONFLICT, "'%s' has had version %u, there is no higher number; name it",
                       w->model.name, CATALOG_NUMBER_MAX);
    if (st == CISTERN_OK)
        st = compose(w, tag, document, err);
    if (st == CISTERN_OK) {
        catalog_document_path(path, w->model.name, "/versions/%s.json", tag);
        st = catalog_document_create(w->s, path, document, digest, err);
        *out_again = st == CISTERN_CONFLICT;
    }
    if (st == CISTERN_OK)
        st = catalog_version_parse(json_incref(document), &w->model, tag, path, out, err);
    json_decref(document);
    return st;
}

static cistern_status publish_round(publishing *w, catalog_published *out, bool *out_again,
                                    cistern_error *err)
{
    bool found = false;
    *out_again = false;
    catalog_tags_clear(&w->compared);
    w->compared = w->tags;
    catalog_tags_init(&w->tags);
    cistern_status st = catalog_tags_read(w->s, w->model.name, &w->tags, err);
    if (st == CISTERN_OK)
        st =
            w->p->tag ? find_tagged(w, &out->version, &found, err) : find_same(w, &out->version, &found, err);
    if (st == CISTERN_OK && !found)
        st = create(w, &out->version, out_again, err);
    if (st == CISTERN_OK)
        out->created = !found;
    return st;
}

/* The sequence of a version that an alias names; 0: it cannot be told. */
static cistern_status sequence_of(const store *s, const catalog_model *model, const char *tag, uint64_t *out,
                                  cistern_error *err)
{
    catalog_version v;
    bool found = false;
    catalog_version_init(&v);
    cistern_status st = catalog_version_load(s, model, tag, &v, &found, err);
    *out = found ? v.sequence : 0;
    if (st == CISTERN_DAMAGED) {
        base_error_clear(err);
        st = CISTERN_OK;
    }
    catalog_version_clear(&v);
    return st;
}

/* Move `latest` to v unless it is at a version that was added after v. */
static cistern_status move_latest(store *s, const catalog_model *model, const catalog_version *v,
                                  const catalog_publication *p, bool *out_moved, cistern_error *err)
{
    cistern_status st = CISTERN_OK;
    *out_moved = false;
    for (bool again = true; st == CISTERN_OK && again;) {
        catalog_move now, moved;
        uint64_t sequence = 0;
        again = false;
        catalog_move_init(&now);
        catalog_move_init(&moved);
        st = catalog_alias_read(s, model->name, CATALOG_LATEST, &now, err);
        if (st == CISTERN_OK && now.number > 0)
            st = sequence_of(s, model, now.target, &sequence, err);
        if (st == CISTERN_OK && sequence <= v->sequence && strcmp(now.target, v->tag) != 0) {
            catalog_next_move next = {.name = model->name,
                                      .alias = CATALOG_LATEST,
                                      .after = &now,
                                      .target = v->tag,
                                      .back = now.number,
                                      .sequence = v->sequence,
                                      .who = p ? p->who : NULL,
                                      .why = p ? p->why : NULL};
            st = catalog_moves_append(s, &next, &moved, err);
            again = st == CISTERN_CONFLICT && now.number < CATALOG_NUMBER_MAX;
            *out_moved = st == CISTERN_OK;
        }
        if (again) {
            base_error_clear(err);
            st = CISTERN_OK;
        }
        catalog_move_clear(&now);
        catalog_move_clear(&moved);
    }
    return st;
}

/* What the moves of `latest` say about one version. */
typedef struct past {
    const store *s;
    const catalog_model *model;
    const catalog_version *v;
    bool by_sequence; /* look at the versions that it was at, too (dearer) */
    bool settled;     /* latest was at it, or at one that was added after it */
} past;

static cistern_status see_past(void *user, const catalog_move *m, cistern_error *err)
{
    past *seen = user;
    uint64_t sequence = 0;
    seen->settled = seen->settled || strcmp(m->target, seen->v->tag) == 0;
    if (seen->settled || !seen->by_sequence)
        return CISTERN_OK;
    cistern_status st = sequence_of(seen->s, seen->model, m->target, &sequence, err);
    seen->settled = sequence > seen->v->sequence;
    return st;
}

static cistern_status settle(store *s, const catalog_model *model, const catalog_version *v,
                             const catalog_publication *p, bool *out_moved, cistern_error *err)
{
    catalog_move now;
    past seen = {s, model, v, true, false};
    catalog_move_init(&now);
    *out_moved = false;
    cistern_status st = catalog_alias_read(s, model->name, CATALOG_LATEST, &now, err);
    if (st == CISTERN_OK && now.number > 0)
        st = see_past(&seen, &now, err);
    for (int pass = 0; pass < 2 && st == CISTERN_OK && now.number > 1 && !seen.settled; pass++) {
        seen.by_sequence = pass == 1;
        st = catalog_alias_walk(s, model->name, CATALOG_LATEST, see_past, &seen, err);
    }
    if (st == CISTERN_OK && !seen.settled)
        st = move_latest(s, model, v, p, out_moved, err);
    catalog_move_clear(&now);
    return st;
}

cistern_status catalog_publish_settle(store *s, const catalog_version *v, bool *out_moved, cistern_error *err)
{
    catalog_model model;
    cistern_status st = catalog_model_read(s, v->name, &model, err);
    if (st == CISTERN_OK)
        st = settle(s, &model, v, NULL, out_moved, err);
    return st;
}

/* After the version document: latest, the hint, and what latest is now. */
static cistern_status finish(publishing *w, catalog_published *out, cistern_error *err)
{
    char path[STORE_PATH_MAX];
    uint32_t number;
    catalog_move now;
    catalog_move_init(&now);
    cistern_status st = out->created
                            ? move_latest(w->s, &w->model, &out->version, w->p, &out->latest_moved, err)
                            : settle(w->s, &w->model, &out->version, w->p, &out->latest_moved, err);
    if (st == CISTERN_OK)
        st = catalog_alias_read(w->s, w->model.name, CATALOG_LATEST, &now, err);
    if (st == CISTERN_OK) {
        memcpy(out->latest, now.target, sizeof out->latest);
        catalog_document_path(path, w->model.name, "/versions/head");
        if (out->created && catalog_tag_number(out->version.tag, &number))
            catalog_document_head(w->s, path, number > w->tags.highest ? number : w->tags.highest);
    }
    catalog_move_clear(&now);
    return st;
}

/* A text that will stand in a document (NULL: none), before anything is written that it belongs to. */
static cistern_status check_text(const char *what, const char *text, size_t max, cistern_error *err)
{
    if (text && (strlen(text) > max || !catalog_text_printable(text)))
        return base_fail(err, CISTERN_USAGE,
                         "%s is '%.200s': at most %zu bytes of UTF-8 without control characters are allowed",
                         what, text, max);
    return CISTERN_OK;
}

static cistern_status prepare(publishing *w, cistern_error *err)
{
    const catalog_publication *p = w->p;
    cistern_status st = catalog_name_check(p->name, err);
    if (st == CISTERN_OK && p->tag)
        st = catalog_tag_check(p->tag, err);
    if (st == CISTERN_OK)
        st = catalog_note_check(p->why, err);
    if (st == CISTERN_OK)
        st = check_text("origin", p->origin, CATALOG_TEXT_MAX, err);
    if (st == CISTERN_OK)
        st = check_text("who", p->who, CATALOG_WHO_MAX, err);
    if (st == CISTERN_OK)
        st = catalog_files_check(p->files, p->file_count, err);
    if (st == CISTERN_OK)
        st = catalog_files_sort(p->files, p->file_count, &w->files, err);
    if (st == CISTERN_OK)
        st = model_facts_to_json(p->facts, &w->facts, err);
    if (st == CISTERN_OK)
        st =
            catalog_publish_check(w->s, p->name, p->tag, err); /* before a refused name leaves a model.json */
    if (st == CISTERN_OK)
        st = catalog_model_ensure(w->s, p->name, &w->model, err);
    return st;
}

cistern_status catalog_publish(store *s, const catalog_publication *p, catalog_published *out,
                               cistern_error *err)
{
    publishing w = {.s = s, .p = p};
    catalog_published done = {.created = false};
    catalog_version_init(&done.version);
    cistern_status st = prepare(&w, err);
    for (bool again = true; st == CISTERN_OK && again;) {
        st = publish_round(&w, &done, &again, err);
        if (again) { /* every round has a winner, so this ends */
            base_error_clear(err);
            st = CISTERN_OK;
        }
    }
    if (st == CISTERN_OK)
        st = finish(&w, &done, err);
    if (st == CISTERN_OK) {
        *out = done;
        catalog_version_init(&done.version);
    }
    catalog_version_clear(&done.version);
    catalog_tags_clear(&w.tags);
    catalog_tags_clear(&w.compared);
    json_decref(w.facts);
    free(w.files);
    return st;
}

cistern_status catalog_publish_check(const store *s, const char *name, const char *tag, cistern_error *err)
{
    catalog_tags tags;
    catalog_tags_init(&tags);
    cistern_status st = catalog_name_check(name, err);
    if (st == CISTERN_OK && tag)
        st = catalog_tag_check(tag, err);
    if (st == CISTERN_OK && tag)
        st = catalog_tags_read(s, name, &tags, err);
    if (st == CISTERN_OK && tag)
        st = check_tag_free(&tags, name, tag, err);
    catalog_tags_clear(&tags);
    return st;
}

cistern_status catalog_publish_check_home(const store *s, const char *name, cistern_error *err)
{
    catalog_model model;
    cistern_status st = store_check_write(s, err);
    if (st != CISTERN_OK)
        return st;
    st = catalog_model_read(s, name, &model, err);
    if (st == CISTERN_OK)
        return catalog_model_check_home(s, &model, err);
    if (st == CISTERN_NOT_FOUND) {
        base_error_clear(err);
        st = CISTERN_OK;
    }
    return st;
}
