/* How much one weight file may ask for. Each limit has a test at it and one above it: tests/house/limits.txt names them.
 *
 * The pickle machine's worst case is the sum of its tables below, about 68 MiB, whatever the file's size; a real
 * VGG takes less than one. The index of 65,536 tensors with the longest names takes another 45 MiB.
 */
#ifndef FORMATS_LIMITS_H
#define FORMATS_LIMITS_H

/* Pickles. A torchvision VGG needs about 1,000 values, a checkpoint with its optimizer some 10,000. */
#define FORMATS_VALUES_MAX       (1u << 20) /* values that one pickle may make, 16 bytes each */
#define FORMATS_CELLS_MAX        (1u << 20) /* members of all its containers, 12 bytes each */
#define FORMATS_MEMO_MAX         (1u << 20) /* memo numbers run from 0 to this, exclusive; 4 bytes each */
#define FORMATS_STACK_MAX        65536u     /* values on the stack; pickle writes batches of 1,000 */
#define FORMATS_MARKS_MAX        1024u      /* open MARKs; Python's own recursion limit is 1,000 */
#define FORMATS_STORAGES_MAX     (1u << 17) /* mentions of a storage, 80 bytes each */
#define FORMATS_VIEWS_MAX        (1u << 17) /* tensors rebuilt, the optimizer's too, 152 bytes each */
#define FORMATS_GLOBAL_BYTES_MAX 256u       /* a dotted name that is asked for */
#define FORMATS_CLASSES_MAX      65536u     /* mentions of a class that is not allowed, 40 bytes each */

/* Looking for tensors in what a pickle made. */
#define FORMATS_WRAPPERS_MAX   4u         /* dicts inside dicts before the state_dict */
#define FORMATS_WALK_DEPTH_MAX 32u        /* containers inside containers */
#define FORMATS_WALK_STEPS_MAX (1u << 21) /* members looked at; a container may be met more than once */

/* Zip directories, and members that a zip tool compressed. */
#define FORMATS_UNPACKED_MAX    (16u << 20) /* bytes of a compressed data.pkl; VGG's has some 10 KB */
#define FORMATS_ZIP_MEMBERS_MAX (1u << 17)  /* 64 bytes each */
#define FORMATS_ZIP_NAME_MAX    1024u       /* bytes */

/* safetensors: the reference implementation's own limit (safetensors/src/tensor.rs, MAX_HEADER_SIZE). */
#define FORMATS_SAFETENSORS_HEADER_MAX 100000000u /* bytes */

/* Protocol buffers: ONNX, TensorFlow. A VGG-19 exported by Keras has some 120 nodes. */
#define FORMATS_PROTOBUF_DEPTH_MAX 8u         /* messages inside messages; attributes of nodes reach 6 */
#define FORMATS_NODES_MAX          (1u << 17) /* of a graph, constants included; 328 bytes each */
#define FORMATS_CHAIN_MAX          1024u      /* nodes from the picture to the logits */
#define FORMATS_ENDS_MAX           16u        /* nodes without successor that are tried as the graph's end */
#define FORMATS_PICTURES_MAX       8u         /* inputs of four dimensions, three of them channels */
#define FORMATS_REPEAT_MAX         (1u << 27) /* elements that one may stand for; VGG's largest has 102,760,448 */

/* SavedModels. Keras' graphs are two calls deep. */
#define FORMATS_CALLS_MAX 8u /* functions inside functions, from the signature on */

/* TensorFlow's checkpoint index. Its keys are tensors' names; blocks are closed above 256 KiB, larger only by one value. */
#define FORMATS_KEY_MAX    1024u       /* bytes */
#define FORMATS_BLOCK_MAX  (16u << 20) /* bytes */
#define FORMATS_SHARDS_MAX 4096u       /* data files; a version has no more */

/* A list of safetensors shards. A VGG's takes 2 KB. */
#define FORMATS_SHARD_LIST_MAX (16u << 20) /* bytes: 65,536 tensors with names of 200 bytes */

/* HDF5 and Keras. The structures of a VGG's file take some 200 KB. */
#define FORMATS_HDF5_WORK_MAX                                                                                \
    ((uint64_t)256 << 20)                    /* bytes of structures looked at, each as often as it is */
#define FORMATS_HDF5_BLOCKS_MAX  256u        /* blocks of one object header */
#define FORMATS_HDF5_DEPTH_MAX   16u         /* levels of a B-tree */
#define FORMATS_HDF5_LINKS_MAX   65536u      /* members of one group */
#define FORMATS_HDF5_TEXTS_MAX   65536u      /* texts of one attribute */
#define FORMATS_HDF5_CHUNKS_MAX  (1u << 19)  /* chunks of one dataset, 24 bytes each */
#define FORMATS_HDF5_CHUNK_MAX   (16u << 20) /* bytes of one chunk; h5py makes some of at most 1 MiB */
#define FORMATS_HDF5_BAND_MAX    (48u << 20) /* bytes of all chunks side by side that begin in the same rows */
#define FORMATS_KERAS_LAYERS_MAX 4096u       /* layers that have weights */
#define FORMATS_KERAS_CONFIG_MAX                                                                             \
    (1u << 20)                     /* bytes; a VGG's take 20 KB; JSON takes up to 40 times that in memory */
#define FORMATS_KERAS_DEPTH_MAX 4u /* models inside models */

/* Decoded tensors. A VGG-19 in F32 takes 575 MB; compressed zeros unpack a thousandfold. */
#define FORMATS_DECODED_MAX        ((uint64_t)4 << 30) /* bytes of all of them */
#define FORMATS_DECODED_HEADER_MAX (48u << 20)         /* bytes: 65,536 entries with the longest names */

#endif
