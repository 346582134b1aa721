/* A session: a network made ready to run on inputs of one size. Owns every byte that running needs.
 *
 * Life: nn_session_new (decides every size, packs the convolutions unless packed weights are given,
 * allocates) -> nn_session_run, any number of times, one at a time -> nn_session_free. Many sessions may
 * share one net and one pool.
 *
 * Invariants
 *  1. nn_session_run allocates nothing.
 *  2. The bits of the output depend on weights, input and instruction set; not on the number of threads, nor
 * on the other images of the batch.
 */
#ifndef NN_SESSION_H
#define NN_SESSION_H

#include "base_pool.h"
#include "nn_isa.h"
#include "nn_net.h"
#include "nn_pack.h"

#define NN_SIDE_MIN  32    /* pixels: five 2x2 poolings leave one */
#define NN_SIDE_MAX  16384 /* pixels */
#define NN_BATCH_MAX 4096  /* images */

typedef struct nn_session nn_session;

/**
 * For tests and `features`: one layer's output for one image, f32 (channels, height, width), borrowed for the
 * call. Called on the thread of nn_session_run, in the order of layers, with torchvision's names: each
 * pooling ("features.N"), "avgpool", and the linear layers after their ReLU ("classifier.1", "classifier.4"),
 * the last without ("classifier.6"); linear layers have height and width 1.
 */
typedef void (*nn_layer_fn)(void *user, const char *name, size_t image, size_t channels, size_t height,
                            size_t width, const float *data);

typedef struct nn_session_options {
    size_t size;      /* sizeof(nn_session_options) */
    size_t max_batch; /* images in one run, 1 to NN_BATCH_MAX */
    size_t height;    /* pixels, NN_SIDE_MIN to NN_SIDE_MAX */
    size_t width;
    base_pool *pool; /* borrowed while the session lives; NULL: the caller's thread alone */
    nn_isa isa;      /* NN_ISA_AUTO: the best available */
    const void
        *packed; /* of nn_layout_for(isa), borrowed while the session lives; NULL: packed in memory now */
    size_t packed_size; /* bytes */
    nn_layer_fn layer;  /* NULL: none */
    void *layer_user;
} nn_session_options;

#define NN_SESSION_OPTIONS_INIT                                                                              \
    {                                                                                                        \
        .size = sizeof(nn_session_options), .max_batch = 1, .height = 224, .width = 224                      \
    }

/**
 * @param net  borrowed while the session lives.
 * @retval USAGE      a size or batch out of range (the message says the range), an instruction set that is not here,
 *                    packed weights that are not aligned to NN_PACK_ALIGN.
 * @retval DAMAGED    packed weights of another size than the net needs.
 * @retval NO_MEMORY, CANCELLED
 */
cistern_status nn_session_new(const nn_net *net, const nn_session_options *options, const base_cancel *cancel,
                              nn_session **out, cistern_error *err) CISTERN_MUST_CHECK;
void nn_session_free(nn_session *session); /* NULL allowed */

/**
 * Run n images through the network.
 * @param x    f32 (n, 3, H, W), contiguous, normalised; borrowed for the call.
 * @param n    images, 0 to max_batch.
 * @param out  f32 (n, classes): the logits; must not overlap x.
 * @retval USAGE      n is above max_batch.
 * @retval CANCELLED  the token was set; the session may be used again.
 * Threads: one call at a time per session. Allocates: no.
 */
cistern_status nn_session_run(nn_session *session, const float *x, size_t n, float *out,
                              const base_cancel *cancel, cistern_error *err) CISTERN_MUST_CHECK;

/** Run on another pool from now on, of as many threads: in a forked child, where the threads of the first are not. */
void nn_session_use_pool(nn_session *session, base_pool *pool);

/** What one layer did in the last run, over all its images. */
typedef struct nn_step_report {
    char name[24];           /* "features.0", "classifier.6"; the last is "other" */
    const char *algorithm;   /* static */
    double seconds;          /* of the whole run; the figures below are for one image */
    double definition_flops; /* multiplications and additions of the definition */
    double flops;            /* of the algorithm, transforms not counted */
    double weight_bytes;     /* read at least */
} nn_step_report;

size_t nn_session_step_count(const nn_session *session);
/** Asserts i < nn_session_step_count. Not while a run is going on. */
void nn_session_report(const nn_session *session, size_t i, nn_step_report *out);

/** The instruction set that runs. */
nn_isa nn_session_isa(const nn_session *session);
/** Bytes of memory that the session allocated. */
size_t nn_session_bytes(const nn_session *session);

#endif
