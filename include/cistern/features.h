/* Features: the output of one layer of a model, computed up to there. One call at a time; many per model. */
#ifndef CISTERN_FEATURES_H
#define CISTERN_FEATURES_H

#include <cistern/image.h>
#include <cistern/model.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cistern_features cistern_features;

typedef struct cistern_features_options {
    size_t size;
    uint32_t height, width; /* pixels of the input, at least 32; 0: the model's own */
} cistern_features_options;
#define CISTERN_FEATURES_OPTIONS_INIT                                                                        \
    {                                                                                                        \
        sizeof(cistern_features_options), 0, 0                                                               \
    }

/**
 * Bind tensors to layers, up to the wanted one. Keeps the model alive. Files without a classifier (head: none) are fine.
 * @param layer    torchvision's name: "features.28" (convolutions, batch norms, ReLUs, poolings), "avgpool", "classifier.4",
 *                 or "features" and "classifier" for the last of theirs. Its output is what a forward hook of PyTorch
 *                 is given: a convolution's is that before the ReLU.
 * @param options  NULL: defaults.
 * @retval CISTERN_USAGE       no such layer: all that there are are listed. @retval CISTERN_UNREADABLE  the file is no VGG
 */
CISTERN_API cistern_status cistern_features_new(cistern_model *model, const char *layer,
                                                const cistern_features_options *options,
                                                cistern_features **out,
                                                cistern_error *err) CISTERN_MUST_CHECK;
CISTERN_API void cistern_features_free(cistern_features *f);

/** Shape of one image's output: (C, H, W), rank 3; or of a layer of the classifier (K), rank 1. Returns the rank. */
CISTERN_API uint32_t cistern_features_shape(const cistern_features *f, uint64_t out[3]);
CISTERN_API uint32_t cistern_features_height(const cistern_features *f); /* of the input */
CISTERN_API uint32_t cistern_features_width(const cistern_features *f);

/** Preprocess a picture as the model's facts say into f32 (3, height, width). */
CISTERN_API cistern_status cistern_features_preprocess(const cistern_features *f, const cistern_image *image,
                                                       float *out, cistern_error *err) CISTERN_MUST_CHECK;
/**
 * Run the network up to the layer. Allocates nothing; the result does not depend on the number of threads.
 * @param x    f32 (n, 3, height, width), contiguous, preprocessed, borrowed for the call.
 * @param out  f32 (n, ...shape): caller's memory.
 */
CISTERN_API cistern_status cistern_features_run(cistern_features *f, const float *x, uint32_t n, float *out,
                                                cistern_cancel *cancel,
                                                cistern_error *err) CISTERN_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
