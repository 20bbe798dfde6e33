#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <random>
#include <source_location>
#include <string>
#include <vector>

#include "simt/fiber.h"
#include "simt/schedule.h"
#include "simt/shared_memory.h"
#include "simt/types.h"
#include "simt/warp.h"

namespace zeta::simt {

struct LaunchShape {
  dim3 grid;
  dim3 block;
  size_t dynamic_shared_bytes = 0;
};

// How the threads of a block have voted at a barrier.
struct Votes {
  int in_favour = 0;
  int total = 0;
};

// One launch of a kernel: every thread is a fiber, and exactly one of them runs at a time. Threads
// are switched where they wait for others and at atomics, fences and calls of __nanosleep.
class Grid {
 public:
  Grid(LaunchShape const& shape, Stream const& stream, std::function<void()> kernel);

  // Runs all blocks, or throws the first fault.
  void run();

  // Returns the launch whose kernel runs. Kernels call the functions that follow.
  static Grid& current() { return *current_; }

  uint64_t collective(Collective const& collective, unsigned mask, uint64_t value, unsigned source,
                      std::source_location where);
  Votes barrier(char const* name, bool vote, std::source_location where);
  void* shared_array(void const* declaration, char const* name, size_t bytes,
                     std::source_location where);
  size_t dynamic_shared_bytes() const { return shape_.dynamic_shared_bytes; }
  void preempt(std::source_location where);
  unsigned lane() const { return running_->lane; }

 private:
  struct Block {
    uint3 index = {};
    size_t first_thread = 0;
    std::vector<Warp> warps;
    SharedMemory shared;
    unsigned returned = 0;
    // The barrier that threads wait at.
    unsigned arrived = 0;
    char const* barrier = "";
    std::source_location where;
    int in_favour = 0;
    Votes votes;
  };

  struct Thread {
    std::unique_ptr<Fiber> fiber;
    size_t number;  // among the threads of the resident blocks
    Block* block;
    uint3 index;
    unsigned warp;
    unsigned lane;
    // What the thread waits for, or null.
    char const* waits_at = nullptr;
    std::source_location where;
  };

  static void run_fiber();
  void run_threads();
  void finish_thread();
  void start_block(Block& block);
  void wait(char const* name, std::source_location where);
  void resume(Thread& next);
  [[noreturn]] void throw_deadlock() const;
  std::string name_of(Thread const& thread) const;
  size_t threads_per_block() const;
  void make_ready(Block const& block);

  static inline Grid* current_ = nullptr;

  LaunchShape shape_;
  uint64_t seed_;
  std::function<void()> kernel_;
  std::vector<std::unique_ptr<Block>> blocks_;
  std::vector<Thread> threads_;
  Schedule schedule_;
  std::vector<uint64_t> block_order_;
  size_t next_block_ = 0;
  size_t resident_ = 0;
  Fiber caller_;
  Thread* running_ = nullptr;
  std::exception_ptr error_;
  uint64_t steps_without_progress_ = 0;
};

}  // namespace zeta::simt
