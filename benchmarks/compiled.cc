// Times a program compiled ahead of time; see compiled.py.
//
// Usage: compiled ROUNDS: reads rows of int32 ids from standard input, one
// for each round, and writes their logits; prints the seconds of each round to
// standard error.

#define EIGEN_USE_THREADS

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "longformer.h"

int main(int argc, char** argv) {
  const int threads = std::thread::hardware_concurrency();
  Eigen::ThreadPool pool(threads);
  Eigen::ThreadPoolDevice device(&pool, threads);
  Longformer model;
  model.set_thread_pool(&device);
  const int tokens = model.arg_feed_input_ids_count();
  std::fill_n(model.arg_feed_attention_mask_data(), tokens, 1);
  for (int round = std::atoi(argv[1]); round > 0; --round) {
    if (std::fread(model.arg_feed_input_ids_data(), sizeof(int), tokens,
                   stdin) != static_cast<size_t>(tokens)) {
      return 2;
    }
    const auto start = std::chrono::steady_clock::now();
    if (!model.Run()) return 1;
    const std::chrono::duration<double> taken =
        std::chrono::steady_clock::now() - start;
    std::fprintf(stderr, "%.6f\n", taken.count());
    std::fwrite(model.result0_data(), sizeof(float), model.result0_count(),
                stdout);
    std::fflush(stdout);
  }
}
