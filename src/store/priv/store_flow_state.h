/* The inside of a flow, shared by store_flow.c (pieces, workers), store_follow.c (hashing) and store_syncer.c. */
#ifndef STORE_FLOW_STATE_H
#define STORE_FLOW_STATE_H

#include "store_flow.h"

#define STORE_SYNC_BYTES                                                                                     \
    ((uint64_t)64 << 20)        /* written between two syncs; one for every 4 MiB is six times dearer */
#define STORE_FLOW_LINES    8   /* log lines between two looks of the caller; more are dropped */
#define STORE_FLOW_LINE_MAX 512 /* bytes of one */

typedef struct store_piece {
    uint64_t first, end; /* end: STORE_SIZE_UNKNOWN if nobody knows */
    uint64_t pos;        /* first <= pos <= end: what is written */
    uint64_t journaled;  /* up to here there are `w` records */
    uint64_t synced;     /* up to here there are `s` records */
} store_piece;

typedef struct store_flow {
    const store_flow_plan *plan;
    pthread_mutex_t writing;  /* one write at a time: file systems lock the inode anyway, and spin */
    pthread_mutex_t lock;     /* protects all below */
    pthread_cond_t moved;     /* low moved on, or the end: followers wait */
    pthread_cond_t due;       /* enough is written, or the end: the syncer waits */
    pthread_cond_t attention; /* a thread ended: the caller waits */
    store_piece *piece;
    size_t count, next, head; /* next: to be taken; head: the first that is not finished */
    uint64_t present;         /* bytes that were there before */
    uint64_t low, told;       /* told: low when followers were last woken */
    uint64_t written, synced; /* bytes */
    uint64_t requests;
    uint64_t hashed;       /* bytes, of the whole */
    unsigned working;      /* workers that have not ended */
    unsigned following;    /* followers and syncer that have not ended */
    bool finished;         /* all bytes are there: low is the size */
    base_cancel stop;      /* everyone ends */
    cistern_status status; /* the first failure */
    cistern_error error;
    net_answer answer;
    bool changed, range_ignored;
    char line[STORE_FLOW_LINES][STORE_FLOW_LINE_MAX];
    int line_level[STORE_FLOW_LINES];
    size_t lines;
} store_flow;

/** The first failure stays and stops everyone; lock not held. */
void store_flow_state_fail(store_flow *f, cistern_status status, const cistern_error *why);

/** Cut what is missing into pieces. */
cistern_status store_flow_state_cut(store_flow *f, cistern_error *err) CISTERN_MUST_CHECK;
/** The next one to be fetched, or NULL. */
store_piece *store_flow_state_take(store_flow *f);
/** n bytes of a piece are written: say so, and journal it now and then. */
cistern_status store_flow_state_advance(store_flow *f, store_piece *p, size_t n,
                                        cistern_error *err) CISTERN_MUST_CHECK;
/** Everything before the first gap is there: tell those who follow; lock held. */
void store_flow_state_raise(store_flow *f);
/** What was written since the last record of each piece; lock held. */
void store_flow_state_journal(store_flow *f);
/** Wake everyone; lock held. */
void store_flow_state_wake(store_flow *f);

/** A follower or the syncer is about to start; has ended. */
void store_flow_state_join(store_flow *f);
void store_flow_state_leave(store_flow *f);

/** Monotonic deadline for pthread_cond_timedwait on the flow's conditions. */
struct timespec store_flow_state_deadline(unsigned ms);

#endif
