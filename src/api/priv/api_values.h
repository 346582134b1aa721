/* Reading all of a tensor with the context's threads. */
#ifndef API_VALUES_H
#define API_VALUES_H

#include "priv/api_types.h"
#include "model_network.h"
#include "model_values.h"

/** First element of a tensor of the model's index. */
const uint8_t *api_values_data(const cistern_model *m, const model_tensor *t);
/** Whether two tensors of one index are the same elements, in whatever order. */
bool api_values_same_bytes(const model_tensor *a, const model_tensor *b);
/** Epsilons of batch norms: files have them as f32 or as f64. */
bool api_values_same_epsilon(double a, double b);
/** The network's tensors, if the model is a VGG that can be bound. */
cistern_status api_values_network(const cistern_model *m, model_network *out,
                                  cistern_error *err) CISTERN_MUST_CHECK;

cistern_status api_values_stats(cistern *c, const model_values *v, const base_cancel *cancel,
                                model_stats *out, cistern_error *err) CISTERN_MUST_CHECK;
cistern_status api_values_compare(cistern *c, const model_values *a, double add_a, const model_values *b,
                                  double add_b, const base_cancel *cancel, model_difference *out,
                                  cistern_error *err) CISTERN_MUST_CHECK;

#endif
