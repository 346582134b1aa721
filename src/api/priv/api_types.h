/* What the opaque types of include/cistern are made of. */
#ifndef API_TYPES_H
#define API_TYPES_H

#include <cistern/cistern.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>
#include "base_map.h"
#include "base_pool.h"
#include "base_thread.h"
#include "catalog_list.h"
#include "image_rgb.h"
#include "ingest_read.h"
#include "model_facts.h"
#include "nn_net.h"
#include "nn_session.h"
#include "priv/api_guard.h"
#include "priv/api_sized.h"
#include "tiers_chain.h"
#include "priv/api_packed.h"
#include "priv/api_warm.h"

/* Compute threads, and the process that they are threads of. */
typedef struct api_crew {
    pid_t process;
    base_pool *pool;
    struct api_crew
        *inherited; /* of a parent process: memory without threads, which sessions may still name */
} api_crew;

struct cistern_cancel {
    base_cancel token;
    atomic_uint owners; /* whoever made it, and writers of packed weights that go on after the call */
};

struct cistern {
    tiers *chain;
    char *import_program; /* NULL: beside the library */
    char *torch_home;     /* "": not known */
    char *keras_home;     /* the same */
    unsigned threads;
    unsigned long keep_removed_s, keep_partial_s; /* seconds, for collecting */
    nn_isa isa;                                   /* resolved: never AUTO */
    cistern_log_fn log_fn;
    void *log_user;
    base_log log;             /* forwards to log_fn */
    _Atomic(api_crew *) crew; /* made by the first session; in a forked child another one in front of it */
};

struct cistern_version {
    catalog_version v;
    model_facts facts;
    char kind[64];
    char reference[CATALOG_REFERENCE_TEXT_MAX];
    char (*aliases)[CATALOG_TAG_MAX + 1];
    size_t alias_count;
    bool here;
    char note[256];
    char **remarks; /* notes of the tensor index */
    size_t remark_count;
    char *path; /* of a file that is in no store; else NULL */
};

struct cistern_image {
    image picture;
};

struct cistern_model {
    atomic_uint owners;
    cistern *context;
    cistern_version *version;
    model_index *index;
    base_map *files;    /* those of the version, then that of decoded tensors if the index has it */
    api_guard **guards; /* of each */
    int *
        held; /* descriptors of the version's files, open as long as the model: collectors skip what is held */
    size_t held_count;
    size_t file_count;
    base_map decoded; /* the whole mapping that files[file_count - 1] is then a part of; else empty */
    api_packed packed;
};

struct cistern_session {
    cistern_model *model;
    nn_net *net;
    nn_session *session;
    model_preprocess preprocess;
    api_warm warm;
};

/** The call's token, progress and log as the rooms take them; `forward` must live as long as `out`.
 *  @param out  initialised also on failure. @retval USAGE  see priv/api_sized.h */
typedef struct api_forward {
    cistern_call call;
} api_forward;
cistern_status api_run_init(const cistern *c, const cistern_call *call, api_forward *forward, base_run *out,
                            cistern_error *err) CISTERN_MUST_CHECK;

/** One more owner of a token; returns it. NULL allowed. */
cistern_cancel *api_cancel_ref(cistern_cancel *cancel);

/** This process's pool of the context, made at its first call. */
cistern_status api_pool(cistern *c, base_pool **out, cistern_error *err) CISTERN_MUST_CHECK;

/** Declared facts from the flags of a call, which were taken (priv/api_sized.h). @param out  initialised by the call. */
cistern_status api_declared_facts(const cistern_pull_options *options, model_facts *out,
                                  cistern_error *err) CISTERN_MUST_CHECK;

/**
 * Read the index of open files through the import program.
 * @param decoded  a file that takes what must be decoded (ingest_options).
 */
cistern_status api_import(const cistern *c, const ingest_file *files, size_t count, int decoded,
                          const base_run *run, model_index **out, cistern_error *err) CISTERN_MUST_CHECK;

/**
 * Complete facts with what binding finds: architecture (or "unknown", with a warning), classes, the family's preset.
 * @param level  of the warning: 0 where the weights are stored all the same, 2 where running them is refused next.
 * @retval UNREADABLE  it is no VGG, and the user had said which one it is.
 */
cistern_status api_complete_facts(const cistern *c, const model_index *index, model_facts *facts, int level,
                                  cistern_error *err) CISTERN_MUST_CHECK;

/** The store in which a model is looked for; borrowed. @retval NOT_FOUND  there is no store at all, so not that model */
cistern_status api_store_of(const cistern *c, const char *name, store **out,
                            cistern_error *err) CISTERN_MUST_CHECK;

/** Wrap a version (taken: *v is left initialised). @param index  NULL: looked up in the store. */
cistern_status api_version_new(cistern *c, catalog_version *v, const model_index *index,
                               cistern_version **out, cistern_error *err) CISTERN_MUST_CHECK;
/** What the index says of itself, its kind and notes: once. */
cistern_status api_version_tell(cistern_version *v, const model_index *index,
                                cistern_error *err) CISTERN_MUST_CHECK;
/** The same as api_version_new for list members: aliases given, nothing looked up in the index. */
cistern_status api_version_listed(cistern *c, catalog_version *v, const catalog_listing *listing,
                                  cistern_version **out, cistern_error *err) CISTERN_MUST_CHECK;

#endif
