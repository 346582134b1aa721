/* A network: the tensors of one VGG bound to its layers, over mapped file bytes.
 *
 * Invariants
 *  1. Immutable; any number of threads and sessions may share one.
 *  2. Holds no weights: it points into the caller's mappings, which must outlive it. The tensor index need
 * not.
 *  3. Every element of every tensor was proven to lie inside its file. Payloads may be misaligned and
 * strided.
 */
#ifndef NN_NET_H
#define NN_NET_H

#include "base_map.h"
#include "model_vgg.h"

#define NN_CHANNELS_MAX 4096    /* outputs of one convolution; VGG has at most 512 */
#define NN_HIDDEN_MAX   65536   /* outputs of one of the first two linear layers; VGG has 4096 */
#define NN_CLASSES_MAX  1048576 /* outputs of the last linear layer; ImageNet-22k has 21841 */

typedef struct nn_net nn_net;

/**
 * @param match  borrowed for the call; the tensors are copied.
 * @param files  the version's files by number, borrowed while the net lives (the array itself for the call
 * only).
 * @retval UNREADABLE  a tensor that is not floating point, does not lie in its file, has another shape than
 * its layer, or a layer with more outputs than NN_*_MAX; the tensor is named. A match without a head.
 * @retval NO_MEMORY
 */
cistern_status nn_net_new(const model_vgg_match *match, const base_map *files, size_t file_count,
                          nn_net **out, cistern_error *err) CISTERN_MUST_CHECK;
/** The same, also of a match without a head: for nn_features.h only. */
cistern_status nn_net_new_features(const model_vgg_match *match, const base_map *files, size_t file_count,
                                   nn_net **out, cistern_error *err) CISTERN_MUST_CHECK;
void nn_net_free(nn_net *net); /* NULL allowed; no session may be using it */

/** The architecture; static. */
const model_vgg *nn_net_vgg(const nn_net *net);
/** Outputs of the last layer. */
size_t nn_net_classes(const nn_net *net);

#endif
