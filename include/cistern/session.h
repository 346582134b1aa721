/* A session: a model ready to run at decided sizes. One call at a time; many sessions per model. */
#ifndef CISTERN_SESSION_H
#define CISTERN_SESSION_H

#include <cistern/image.h>
#include <cistern/model.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cistern_session cistern_session;

typedef struct cistern_session_options {
    size_t size;
    uint32_t max_batch;     /* images per run; 0: 1 */
    uint32_t height, width; /* pixels of the input, at least 32; 0: the model's own */
} cistern_session_options;
#define CISTERN_SESSION_OPTIONS_INIT                                                                         \
    {                                                                                                        \
        sizeof(cistern_session_options), 1, 0, 0                                                             \
    }

/** Bind tensors to layers, decide every size, pack weights. Keeps the model alive.
 *  @retval CISTERN_UNREADABLE  the file is no VGG: what is missing is named. */
CISTERN_API cistern_status cistern_session_new(cistern_model *model, const cistern_session_options *options,
                                               cistern_session **out, cistern_error *err) CISTERN_MUST_CHECK;
CISTERN_API void cistern_session_free(cistern_session *s);

typedef struct cistern_prepare_result {
    size_t size;
    int made;       /* 0: they were there already */
    uint64_t bytes; /* of the packed weights */
} cistern_prepare_result;
/**
 * Make the packed weights of a stored version ahead (image builds, init containers), for this context's instruction set.
 * Otherwise the first run makes them in memory and keeps them afterwards, where the store may be written.
 * @param result  NULL allowed. @retval CISTERN_UNREADABLE it cannot be run; CISTERN_DENIED, CISTERN_NO_SPACE; as cistern_model_open
 * @retval CISTERN_CANCELLED  nothing is left of what was being written.
 */
CISTERN_API cistern_status cistern_prepare(cistern *c, const char *reference, const cistern_call *call,
                                           cistern_prepare_result *result,
                                           cistern_error *err) CISTERN_MUST_CHECK;

CISTERN_API uint32_t cistern_session_classes(const cistern_session *s);
CISTERN_API uint32_t cistern_session_height(const cistern_session *s);
CISTERN_API uint32_t cistern_session_width(const cistern_session *s);

/**
 * Run the network. Allocates nothing; the result does not depend on the number of threads.
 * @param x    f32 (n, 3, height, width), contiguous, preprocessed, borrowed for the call.
 * @param n    1 to max_batch.
 * @param out  f32 (n, classes): logits; caller's memory.
 * @param cancel  NULL allowed. Setting it after the first run also ends the writing of packed weights that this run began, for
 *     which cistern_model_free waits otherwise; it may be freed meanwhile.
 */
CISTERN_API cistern_status cistern_session_run(cistern_session *s, const float *x, uint32_t n, float *out,
                                               cistern_cancel *cancel, cistern_error *err) CISTERN_MUST_CHECK;

/** What one layer did in the last run. */
typedef struct cistern_layer_report {
    size_t size;
    char name[24];           /* "features.0", "classifier.6"; the last is "other" */
    const char *algorithm;   /* static */
    double seconds;          /* of the whole run, all its images */
    double definition_flops; /* for one image: multiplications and additions of the definition */
    double flops;            /* for one image: of the algorithm, transforms not counted */
    double weight_bytes;     /* read at least */
} cistern_layer_report;
CISTERN_API size_t cistern_session_layer_count(const cistern_session *s);
/** Not while a run is going on. Returns 0 where there is no such layer. */
CISTERN_API int cistern_session_layer(const cistern_session *s, size_t i, cistern_layer_report *out);

/** What this machine can do at most, on the context's compute threads. */
typedef struct cistern_limits {
    size_t size;
    double
        flops; /* 32-bit multiplications and additions per second, with the context's kernels' instructions */
    double memory; /* bytes per second read */
} cistern_limits;
/** Measure them: about a second. @retval CISTERN_NO_MEMORY, CISTERN_CANCELLED */
CISTERN_API cistern_status cistern_measure_limits(cistern *c, cistern_cancel *cancel, cistern_limits *out,
                                                  cistern_error *err) CISTERN_MUST_CHECK;

/** Preprocess a picture as the model's facts say into f32 (3, height, width). */
CISTERN_API cistern_status cistern_session_preprocess(const cistern_session *s, const cistern_image *image,
                                                      float *out, cistern_error *err) CISTERN_MUST_CHECK;

/** Probabilities of n rows of `classes` logits, in double precision inside; out may be logits. Applied exactly once, by the caller. */
CISTERN_API void cistern_softmax(const float *logits, uint32_t n, uint32_t classes, float *out);

typedef struct cistern_prediction {
    uint32_t class_index;
    float probability, logit;
} cistern_prediction;
/** The k largest of one row, largest first; equal logits by lower class. Returns how many were written: min(k, classes). */
CISTERN_API uint32_t cistern_top(const float *logits, uint32_t classes, uint32_t k, cistern_prediction *out);

#ifdef __cplusplus
}
#endif
#endif
