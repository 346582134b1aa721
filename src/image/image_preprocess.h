/* From a picture to the network's input, as torchvision, Keras or TensorFlow's slim does it (model_preprocess.h). */
#ifndef IMAGE_PREPROCESS_H
#define IMAGE_PREPROCESS_H

#include "image_resize.h"

/**
 * Resize, cut the centre, scale, subtract the mean, divide by the standard deviation, order the channels.
 * @param in   not empty; borrowed for the call.
 * @param how  height and width at least 1; legacy sampling only with bilinear (asserted).
 * @param out  f32 (3, how->height, how->width), caller's memory; unspecified on failure.
 * @retval UNREADABLE  so elongated that it cannot be resized (see IMAGE_RESIZE_SIDE_MAX).
 * @retval NO_MEMORY
 * Threads: any, on distinct `out`.
 * Source: torchvision.transforms.functional (0.14), keras.utils.load_img and preprocess_input (3.15), slim's
 * vgg_preprocessing; every f32 equals theirs.
 */
cistern_status image_preprocess(const image *in, const model_preprocess *how, float *out,
                                cistern_error *err) CISTERN_MUST_CHECK;

#endif
