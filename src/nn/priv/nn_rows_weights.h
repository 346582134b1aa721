/* What the kernel that packs weights for fixed point and its twin (priv/nn_rows.h) share. */
#ifndef NN_ROWS_WEIGHTS_H
#define NN_ROWS_WEIGHTS_H

/* Weights are multiplied with at most this: of an output whose weights are all below 2^-103 the last digits are not used.
 * So neither factor nor scale leaves the range of normal numbers. */
#define NN_ROWS_FACTOR_MOST 0x1p126f

#endif
