/* From a picture to the network's input, as torchvision 0.14 does it:
 * Compose([Resize(resize_short), CenterCrop((height, width)), ToTensor(), Normalize(mean, std)]).
 */
#ifndef IMAGE_PREPROCESS_H
#define IMAGE_PREPROCESS_H

#include "image_resize.h"

/**
 * Resize, cut the centre, divide by 255, subtract the mean, divide by the standard deviation.
 * @param in   not empty; borrowed for the call.
 * @param how  mean and std per channel R, G, B; height and width at least 1.
 * @param out  f32 (3, how->height, how->width), caller's memory; unspecified on failure.
 * @retval UNREADABLE  so elongated that it cannot be resized (see IMAGE_RESIZE_SIDE_MAX).
 * @retval NO_MEMORY
 * Threads: any, on distinct `out`.
 * Source: torchvision.transforms.functional; every f32 equals torchvision's.
 */
cistern_status image_preprocess(const image *in, const model_preprocess *how, float *out,
                                cistern_error *err) CISTERN_MUST_CHECK;

#endif
