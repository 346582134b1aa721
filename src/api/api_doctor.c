/* Looking whether everything is in order. Each check is a finding; none keeps the next from being made. */
#include "priv/api_types.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base_buf.h"
#include "base_confine.h"
#include "base_file.h"
#include "base_scratch.h"
#include "model_index.h"
#include "net_client.h"
#include "nn_isa.h"
#include "store_doctor.h"
#include "tiers_gc.h"

#define SPACE_LOW    ((uint64_t)2000000000) /* bytes: not room for three VGG16 */
#define SYNC_SLOW_MS 50.0  /* a document: a move of an alias then takes a tenth of a second */
#define READ_SLOW    100.0 /* MB/s: 5 s for a VGG16 */
#define SKEW_MOST_NS ((int64_t)5 * 1000000000)

typedef struct doctor {
    cistern *c;
    const base_run *run;
    cistern_finding_fn fn;
    void *user;
    cistern_finding_level worst;
    const char *group;
} doctor;

static void tell_value(doctor *d, cistern_finding_level level, const char *name, double value,
                       const char *unit, const char *fmt, ...) CISTERN_PRINTF(6, 7);
static void tell_value(doctor *d, cistern_finding_level level, const char *name, double value,
                       const char *unit, const char *fmt, ...)
{
    char text[CISTERN_ERROR_TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    cistern_finding f = {sizeof f, level, d->group, name, text, value, unit};
    if (level > d->worst)
        d->worst = level;
    if (d->fn)
        d->fn(d->user, &f);
}
#define tell(d, level, name, ...) tell_value(d, level, name, 0, "", __VA_ARGS__)

static void tell_error(doctor *d, cistern_finding_level level, const char *name, const cistern_error *why)
{
    char text[CISTERN_ERROR_TEXT_MAX];
    cistern_error_format(why, text, sizeof text);
    tell(d, level, name, "%s", text);
}

/* -- installation ----------------------------------------------------------------------------------------- */

/* The least safetensors file: one number. */
static cistern_status make_weights(int *out_fd, cistern_error *err)
{
    static const char header[] = "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}    ";
    uint8_t bytes[8 + sizeof header - 1 + 4] = {sizeof header - 1};
    memcpy(bytes + 8, header, sizeof header - 1);
    cistern_status st = base_scratch_file("cistern-doctor", out_fd, err);
    return st == CISTERN_OK ? base_pwrite_full(*out_fd, bytes, sizeof bytes, 0, err) : st;
}

static void check_import(doctor *d)
{
    cistern_error why = CISTERN_ERROR_INIT;
    model_index *index = NULL;
    int fd = -1;
    uint64_t begun = base_monotonic_ms();
    cistern_status st = make_weights(&fd, &why);
    ingest_file file = {fd, "doctor.safetensors"};
    if (st == CISTERN_OK)
        st = api_import(d->c, &file, 1, -1, d->run, &index, &why);
    if (fd >= 0)
        close(fd);
    if (st != CISTERN_OK) {
        tell_error(d, CISTERN_FINDING_FAILED, "import program", &why);
        return;
    }
    model_index_free(index);
    tell_value(d, CISTERN_FINDING_OK, "import program", (double)(base_monotonic_ms() - begun), "ms",
               "reads a weight file inside its sandbox");
}

/* The two locks on the import program's door; either holds alone, and without both it reads nothing. */
static void check_sandbox(doctor *d)
{
    unsigned version = base_confine_landlock_version();
    if (base_confine_has_filter())
        tell(d, CISTERN_FINDING_OK, "filter", "the import program's system calls are filtered");
    else
        tell(d, CISTERN_FINDING_WARNING, "filter",
             "the kernel cannot filter system calls; in the import program Landlock holds alone");
    if (version)
        tell_value(d, CISTERN_FINDING_OK, "landlock", version, "version",
                   "the import program has no files, %s",
                   version >= 6   ? "no TCP and no signals to others"
                   : version >= 4 ? "no TCP"
                                  : "once more");
    else
        tell(d, CISTERN_FINDING_NOTE, "landlock",
             "not to be had here (Linux 5.13 has it, unless switched off); the filter of system calls holds "
             "alone");
}

static void check_installation(doctor *d)
{
    d->group = "installation";
    tell(d, CISTERN_FINDING_OK, "library", "cistern %s, %s kernels, %u compute %s", CISTERN_VERSION_TEXT,
         cistern_isa(d->c), d->c->threads, d->c->threads == 1 ? "thread" : "threads");
    if (nn_isa_withheld())
        tell(d, CISTERN_FINDING_NOTE, "kernels",
             "this CPU has AMX, but the kernel does not let this process use it: convolutions take longer");
    check_import(d);
    check_sandbox(d);
}

/* -- store ------------------------------------------------------------------------------------------------ */

static void tell_trial(doctor *d, const store_doctor *s)
{
    tell(d, s->network ? CISTERN_FINDING_FAILED : CISTERN_FINDING_OK, "file system",
         s->network ? "%s, which is one of a network: pages mapped from there fault one by one" : "%s, local",
         s->file_system);
    tell_value(d, s->free_bytes < SPACE_LOW ? CISTERN_FINDING_WARNING : CISTERN_FINDING_OK, "free space",
               (double)s->free_bytes, "bytes", "%llu MB", (unsigned long long)(s->free_bytes / 1000000));
    if (s->rounds == 0)
        return; /* it could only be looked at */
    if (s->creates_once)
        tell(d, CISTERN_FINDING_OK, "create once", "no name was given twice in %u races", s->rounds);
    else
        tell(d, CISTERN_FINDING_FAILED, "create once",
             "this file system gives a name twice or fails: a store on it would lose data; use another");
    tell(d, s->locks ? CISTERN_FINDING_OK : CISTERN_FINDING_WARNING, "locks",
         s->locks ? "two descriptors are kept apart"
                  : "they do nothing here: run gc only while no model is pulled");
    int64_t skew = s->clock_skew_ns < 0 ? -s->clock_skew_ns : s->clock_skew_ns;
    tell_value(d, skew > SKEW_MOST_NS ? CISTERN_FINDING_WARNING : CISTERN_FINDING_OK, "clock",
               (double)s->clock_skew_ns / 1e6, "ms", "its stamps and this machine's clock are %lld ms apart",
               (long long)(skew / 1000000));
    if (s->markers > 0)
        tell(d, CISTERN_FINDING_NOTE, "collectors",
             "%llu markers: a gc runs, or was killed (the next one cleans up)",
             (unsigned long long)s->markers);
    if (s->huge_pages)
        tell(d, CISTERN_FINDING_OK, "huge pages", "files are mapped in pages of 2 MiB");
    else
        tell(d, CISTERN_FINDING_NOTE, "huge pages",
             "kernel and file system map files in pages of 4 KiB: a fresh process answers some 15 ms later");
    d->group = "times";
    tell_value(d, s->sync_ms > SYNC_SLOW_MS ? CISTERN_FINDING_WARNING : CISTERN_FINDING_OK, "small write",
               s->sync_ms, "ms", "a document is on disk after %.2f ms", s->sync_ms);
    tell_value(d, CISTERN_FINDING_OK, "write", s->write_mb_s, "MB/s", "%.0f MB/s, synced", s->write_mb_s);
    tell_value(d, s->read_mb_s < READ_SLOW ? CISTERN_FINDING_WARNING : CISTERN_FINDING_OK, "read",
               s->read_mb_s, "MB/s", "%.0f MB/s", s->read_mb_s);
}

static void check_documents(doctor *d)
{
    cistern_error why = CISTERN_ERROR_INIT;
    tiers_gc_options options = {.dry_run = true, .keep_removed_ns = INT64_MAX, .partial_age_ns = INT64_MAX};
    tiers_gc_totals totals;
    if (tiers_gc(d->c->chain, &options, d->run, &totals, &why) != CISTERN_OK)
        tell_error(d, CISTERN_FINDING_FAILED, "documents", &why);
    else
        tell(d, CISTERN_FINDING_OK, "documents", "all can be read: %llu versions",
             (unsigned long long)totals.versions);
}

static cistern_status check_store(doctor *d, cistern_error *err)
{
    cistern_error why = CISTERN_ERROR_INIT;
    store_doctor trial;
    store *s = NULL;
    d->group = "store";
    cistern_status st = tiers_local_if_there(d->c->chain, &s, &why);
    if (st != CISTERN_OK) {
        tell_error(d, CISTERN_FINDING_FAILED, "store", &why);
        return CISTERN_OK;
    }
    if (!s) {
        tell(d, CISTERN_FINDING_NOTE, "store", "there is none yet at %s; pull, add or init makes it",
             tiers_store_path(d->c->chain));
        return CISTERN_OK;
    }
    tell(d, CISTERN_FINDING_OK, "store", "%s: format %d, role %s, shared by %s", store_path(s), STORE_FORMAT,
         store_role_text(store_role_of(s)), store_sharing_text(store_sharing_of(s)));
    check_documents(d);
    st = store_doctor_run(s, d->run, &trial, &why);
    if (st == CISTERN_CANCELLED || st == CISTERN_NO_MEMORY) {
        if (err)
            *err = why;
        return st;
    }
    if (st != CISTERN_OK) {
        tell_error(d, st == CISTERN_DENIED ? CISTERN_FINDING_WARNING : CISTERN_FINDING_FAILED, "writing",
                   &why);
        trial.rounds = 0;
    }
    if (st == CISTERN_OK || st == CISTERN_DENIED)
        tell_trial(d, &trial);
    return CISTERN_OK;
}

/* -- configuration and network ---------------------------------------------------------------------------- */

static void check_state(doctor *d)
{
    const char *path = tiers_state_path(d->c->chain);
    if (!path)
        tell(d, CISTERN_FINDING_WARNING, "state directory",
             "none: each opening of a model reads parts of it to be sure of it; set --state or HOME");
    else if (base_mkdirs_path(path, 0700, NULL) != CISTERN_OK || access(path, W_OK | X_OK) != 0)
        tell(d, CISTERN_FINDING_WARNING, "state directory",
             "%s cannot be written: files are hashed again and again", path);
    else
        tell(d, CISTERN_FINDING_OK, "state directory", "%s", path);
}

static void check_network(doctor *d)
{
    const net_options *o = net_client_options(tiers_access(d->c->chain)->client);
    cistern_error why = CISTERN_ERROR_INIT;
    d->group = "network";
    if (tiers_offline(d->c->chain))
        tell(d, CISTERN_FINDING_NOTE, "offline", "no request is made (option offline)");
    if (net_client_check(&why) == CISTERN_OK)
        tell(d, CISTERN_FINDING_OK, "libcurl", "it can be loaded");
    else
        tell_error(d, CISTERN_FINDING_FAILED, "libcurl", &why);
    if (o->ca_file)
        tell(d, access(o->ca_file, R_OK) == 0 ? CISTERN_FINDING_OK : CISTERN_FINDING_FAILED, "authorities",
             access(o->ca_file, R_OK) == 0 ? "%s" : "%s cannot be read: https will fail", o->ca_file);
    tell(d, CISTERN_FINDING_OK, "proxy", "%s", o->proxy ? "one is set" : "none");
}

cistern_status cistern_doctor(cistern *c, const cistern_call *call, cistern_finding_fn fn, void *user,
                              cistern_finding_level *out_worst, cistern_error *err)
{
    api_forward forward;
    base_run run;
    doctor d = {.c = c, .run = &run, .fn = fn, .user = user};
    cistern_status st = api_run_init(c, call, &forward, &run, err);
    if (st != CISTERN_OK)
        return st;
    check_installation(&d);
    st = check_store(&d, err);
    if (st != CISTERN_OK)
        return st;
    d.group = "configuration";
    check_state(&d);
    check_network(&d);
    if (out_worst)
        *out_worst = d.worst;
    return CISTERN_OK;
}
