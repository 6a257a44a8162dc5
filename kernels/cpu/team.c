/* Threads that do work together, a few microseconds at a time. To wake a thread that sleeps takes longer than an operation on few rows does, and a
 * thread that calls from another language for every portion, and waits there for the next, is put aside by that language's own scheduler. So a
 * helper stays in team_help between pieces of work, looking out for the next one in its slot, and comes back when there has been none for a while.
 *
 * A slot goes from LOOKING to OFFERED or ASKED by worker 0, to BUSY by its worker, and back to LOOKING; from OFFERED or ASKED also to LOOKING by
 * worker 0, who has done everything before the worker came (nobody is waited for whom the system has put aside); from LOOKING to NOBODY by a worker
 * that goes. Whoever offers to NOBODY sends somebody. */
#include "internal.h"
#include <time.h>

static int64_t read_of(const int64_t *word) { return __atomic_load_n(word, __ATOMIC_ACQUIRE); }
static int changes(int64_t *word, int64_t from, int64_t to) {
  return __atomic_compare_exchange_n(word, &from, to, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}
static int64_t *slot_of(avss_team *t, int64_t worker) { return t->slots + worker * AVSS_SLOT; }

/* Jobs of the work, in portions that become smaller towards the end. */
static void take(avss_team *t, int64_t worker) {
  for (;;) {
    const int64_t first = read_of(&t->next);
    int64_t at = first;
    const avss_item *item = t->items, *end = t->items + t->count;
    for (; item < end && at >= item->jobs; item++) at -= item->jobs;
    if (item == end) return;
    int64_t n = least(least(most((t->total - first) / (2 * t->sharing), item->least), item->most), item->jobs - at);
    if (at % item->cuts != 0) n = least(n, item->cuts - at % item->cuts); /* the rest of a set that somebody began */
    else if (n > item->cuts) n -= n % item->cuts;
    if (changes(&t->next, first, first + n)) avss_run(item->operation, item->arguments, at, at + n, t->scratch[worker]);
  }
}

static int64_t nanoseconds(void) {
  struct timespec t;
  timespec_get(&t, TIME_UTC);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Waits until a number is (or is no longer) what is said, but no longer than `limit`. Time counts while it runs: what passes between two looks at
 * the clock beyond what they take, others ran. */
static int spin(const int64_t *word, int64_t value, int is, int64_t limit) {
  enum { LOOKS = 64, LONGEST = 2000 };
  for (int64_t spent = 0, last = nanoseconds(); spent < limit;) {
    for (int i = 0; i < LOOKS; i++)
      if ((read_of(word) == value) == is) return 1;
    const int64_t now = nanoseconds();
    spent += least(most(now - last, 1), LONGEST);
    last = now;
  }
  return (read_of(word) == value) == is;
}

int64_t avss_team_work(void *team) {
  avss_team *t = team;
  take(t, 0);
  for (int64_t worker = 1; worker < t->sharing; worker++)
    if (changes(slot_of(t, worker), AVSS_OFFERED, AVSS_LOOKING) || changes(slot_of(t, worker), AVSS_ASKED, AVSS_LOOKING))
      __atomic_sub_fetch(&t->left, 1, __ATOMIC_ACQ_REL);
  return !spin(&t->left, 0, 1, t->spin);
}

int64_t avss_team_help(void *team, int64_t worker) {
  avss_team *t = team;
  int64_t *slot = slot_of(t, worker);
  for (;;) {
    if (changes(slot, AVSS_ASKED, AVSS_BUSY)) return AVSS_BUSY;
    if (changes(slot, AVSS_OFFERED, AVSS_BUSY)) {
      take(t, worker);
      __atomic_store_n(slot, AVSS_LOOKING, __ATOMIC_RELEASE); /* first: whoever shares next may find it so */
      if (__atomic_sub_fetch(&t->left, 1, __ATOMIC_ACQ_REL) == AVSS_ASLEEP) return AVSS_ASLEEP;
    }
    if (!spin(slot, AVSS_LOOKING, 0, t->spin) && changes(slot, AVSS_LOOKING, AVSS_NOBODY)) return AVSS_NOBODY;
  }
}
