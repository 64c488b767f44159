/* A preload that does nothing: what any preload costs a process at its start. */
extern int portshim_bench_empty;
int portshim_bench_empty;
