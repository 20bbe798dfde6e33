#include "simt/grid.h"

#include <algorithm>
#include <array>
#include <bit>
#include <numeric>
#include <utility>

#include "simt/fault.h"
#include "simt/thread_index.h"

uint3 threadIdx;
uint3 blockIdx;
dim3 blockDim;
dim3 gridDim;

namespace zeta::simt {
namespace {

// Stacks are kept from launch to launch.
std::vector<std::unique_ptr<Stack>>& stacks(size_t count) {
  static std::vector<std::unique_ptr<Stack>> result;
  while (result.size() < count) result.push_back(std::make_unique<Stack>());
  return result;
}

uint3 index_of(uint64_t number, dim3 const& size) {
  uint64_t const row = number / size.x;
  return {static_cast<unsigned>(number % size.x), static_cast<unsigned>(row % size.y),
          static_cast<unsigned>(row / size.y)};
}

std::string text(uint3 const& index) {
  return "(" + std::to_string(index.x) + ", " + std::to_string(index.y) + ", " +
         std::to_string(index.z) + ")";
}

uint64_t volume(dim3 const& size) { return uint64_t{size.x} * size.y * size.z; }

unsigned char poison(uint64_t seed) {
  // The patterns are all ones, large numbers, negative numbers, and zeros.
  constexpr std::array<unsigned char, 4> kPatterns = {0xff, 0x7e, 0x85, 0x00};
  return kPatterns[seed % kPatterns.size()];
}

std::vector<uint64_t> order_of_blocks(uint64_t seed, uint64_t count) {
  std::vector<uint64_t> result(count);
  std::iota(result.begin(), result.end(), uint64_t{0});
  if (seed == 1) std::reverse(result.begin(), result.end());
  if (seed >= 2) std::shuffle(result.begin(), result.end(), std::mt19937_64(seed));
  return result;
}

size_t resident_blocks(LaunchShape const& shape, Stream const& stream) {
  auto const wanted = static_cast<uint64_t>(std::max(1, stream.resident_blocks));
  return std::min(wanted, volume(shape.grid));
}

}  // namespace

Grid::Grid(LaunchShape const& shape, Stream const& stream, std::function<void()> kernel)
    : shape_(shape),
      seed_(stream.seed),
      kernel_(std::move(kernel)),
      schedule_(stream.seed, resident_blocks(shape, stream) * volume(shape.block), kWarpLanes),
      block_order_(order_of_blocks(stream.seed, volume(shape.grid))) {
  size_t const resident = resident_blocks(shape, stream);
  size_t const per_block = threads_per_block();
  auto const& stack = stacks(resident * per_block);
  threads_.reserve(resident * per_block);
  for (size_t i = 0; i < resident; ++i) {
    Block& block = *blocks_.emplace_back(std::make_unique<Block>());
    block.first_thread = threads_.size();
    block.warps.resize((per_block + kWarpLanes - 1) / kWarpLanes);
    for (size_t thread = 0; thread < per_block; ++thread) {
      size_t const number = threads_.size();
      threads_.push_back({.fiber = std::make_unique<Fiber>(*stack[number], run_fiber, number),
                          .number = number,
                          .block = &block,
                          .index = index_of(thread, shape.block),
                          .warp = static_cast<unsigned>(thread / kWarpLanes),
                          .lane = static_cast<unsigned>(thread % kWarpLanes),
                          .where = {}});
    }
  }
}

size_t Grid::threads_per_block() const { return volume(shape_.block); }

void Grid::run() {
  Grid* const outer = std::exchange(current_, this);
  blockDim = shape_.block;
  gridDim = shape_.grid;
  for (auto& block : blocks_) start_block(*block);
  running_ = &threads_[schedule_.next()];
  threadIdx = running_->index;
  blockIdx = running_->block->index;
  caller_.switch_to(*running_->fiber);
  current_ = outer;
  if (error_) std::rethrow_exception(error_);
}

void Grid::run_fiber() {
  Fiber::begin();
  current().run_threads();
}

// Runs this fiber's thread of one block after another. Switches to the caller of the launch once,
// at the end.
void Grid::run_threads() {
  Thread& self = *running_;
  while (true) {
    try {
      kernel_();
      finish_thread();
    } catch (...) {
      error_ = std::current_exception();
    }
    if (error_ || resident_ == 0) self.fiber->switch_to(caller_);
  }
}

void Grid::finish_thread() {
  Thread& self = *running_;
  Block& block = *self.block;
  steps_without_progress_ = 0;
  schedule_.remove(self.number);
  block.warps[self.warp].leave(self.lane);
  ++block.returned;
  if (block.arrived != 0) {
    throw Fault(block.where, std::string(block.barrier) + ": " + name_of(self) +
                                 " has returned from the kernel while others wait");
  }
  if (block.returned == threads_per_block()) {
    block.shared.check();
    --resident_;
    start_block(block);
    if (resident_ == 0) return;
  }
  wait("the end", std::source_location());
}

// Gives `block` the next block of the grid to run, if any is left.
void Grid::start_block(Block& block) {
  if (next_block_ == block_order_.size()) return;
  block.index = index_of(block_order_[next_block_++], shape_.grid);
  block.shared.reset(poison(seed_));
  block.returned = 0;
  block.arrived = 0;
  block.in_favour = 0;
  ++resident_;
  size_t const threads = threads_per_block();
  for (size_t warp = 0; warp < block.warps.size(); ++warp) {
    size_t const lanes = std::min<size_t>(kWarpLanes, threads - warp * kWarpLanes);
    block.warps[warp].reset(static_cast<unsigned>(lanes));
  }
  make_ready(block);
}

void Grid::make_ready(Block const& block) {
  for (size_t i = 0; i < threads_per_block(); ++i) schedule_.add(block.first_thread + i);
}

// Lets others run until this thread is ready and chosen.
void Grid::wait(char const* name, std::source_location where) {
  running_->waits_at = name;
  running_->where = where;
  size_t const next = schedule_.next();
  if (next == Schedule::kNone) throw_deadlock();
  resume(threads_[next]);
}

void Grid::resume(Thread& next) {
  next.waits_at = nullptr;
  Thread& previous = *std::exchange(running_, &next);
  threadIdx = next.index;
  blockIdx = next.block->index;
  if (&next != &previous) previous.fiber->switch_to(*next.fiber);
}

uint64_t Grid::collective(Collective const& collective, unsigned mask, uint64_t value,
                          unsigned source, std::source_location where) {
  Thread& self = *running_;
  Warp& warp = self.block->warps[self.warp];
  steps_without_progress_ = 0;
  unsigned lanes = warp.arrive(collective, {self.lane, mask, value, source, where});
  if (lanes == 0) {
    schedule_.remove(self.number);
  } else {
    size_t const first = self.number - self.lane;
    for (; lanes != 0; lanes &= lanes - 1) {
      schedule_.add(first + static_cast<size_t>(std::countr_zero(lanes)));
    }
  }
  wait(collective.name, where);
  return warp.result(self.lane);
}

Votes Grid::barrier(char const* name, bool vote, std::source_location where) {
  Thread& self = *running_;
  Block& block = *self.block;
  steps_without_progress_ = 0;
  if (block.returned != 0) {
    throw Fault(where, std::string(name) + " by " + name_of(self) + ": " +
                           std::to_string(block.returned) +
                           " threads of the block have returned from the kernel");
  }
  if (block.arrived == 0) {
    block.barrier = name;
    block.where = where;
  } else if (!same_place(block.where, where)) {
    throw Fault(where, std::string(name) + " by " + name_of(self) +
                           ": the barrier is divergent, others of the block are at " +
                           block.barrier + " at " + Fault::text(block.where));
  }
  ++block.arrived;
  if (vote) ++block.in_favour;
  if (block.arrived < threads_per_block()) {
    schedule_.remove(self.number);
  } else {
    block.shared.check();
    block.votes = {std::exchange(block.in_favour, 0), static_cast<int>(block.arrived)};
    block.arrived = 0;
    make_ready(block);
  }
  wait(name, where);
  // The next barrier completes only after this thread has come to it, so the votes are still of
  // this one.
  return block.votes;
}

void* Grid::shared_array(void const* declaration, char const* name, size_t bytes,
                         std::source_location where) {
  return running_->block->shared.array(declaration, name, bytes, where);
}

void Grid::preempt(std::source_location where) {
  constexpr uint64_t kPatience = 256;
  constexpr uint64_t kMostSteps = uint64_t{1} << 22;
  if (++steps_without_progress_ > kMostSteps) {
    throw Fault(where, "livelock: no thread comes to an end or to others; " + name_of(*running_) +
                           " spins here");
  }
  bool const may_spin = steps_without_progress_ > kPatience;
  resume(threads_[may_spin ? schedule_.next_after(running_->number) : schedule_.next()]);
}

std::string Grid::name_of(Thread const& thread) const {
  return "thread " + text(thread.index) + " of block " + text(thread.block->index);
}

void Grid::throw_deadlock() const {
  std::string waiting;
  std::source_location where;
  std::vector<std::string> places;
  for (auto const& thread : threads_) {
    if (thread.where.line() == 0 || thread.waits_at == nullptr) continue;
    where = thread.where;
    auto place = std::string(thread.waits_at) + " at " + Fault::text(thread.where);
    if (std::find(places.begin(), places.end(), place) != places.end()) continue;
    waiting += (places.empty() ? "" : ", ") + name_of(thread) + " at " + place;
    places.push_back(std::move(place));
  }
  throw Fault(where, "deadlock: no thread can go on: " + waiting);
}

}  // namespace zeta::simt
