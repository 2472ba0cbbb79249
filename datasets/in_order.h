// Items made ahead by threads and handed over in order: what keeps a training step from waiting for its batch.
#pragma once
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

namespace duet {

// What `make` throws when it sees that nobody waits for its item any more.
struct Stopped {};

template <class T>
class InOrder {
 public:
  // Makes an item from its index alone; long ones look at `stop` now and then and throw Stopped.
  using Make = std::function<T(std::int64_t index, const std::atomic<bool>& stop)>;

  // Items first..end-1. No more than `ahead` of them (at least one) exist at a time; workers 0: next() makes
  // them.
  InOrder(Make make, std::int64_t first, std::int64_t end, int workers, int ahead)
      : make_(std::move(make)), next_(first), taken_(first), end_(end), ahead_(std::max(1, ahead)) {
    for (int i = 0; i < workers; ++i) threads_.emplace_back([this] { work(); });
  }

  ~InOrder() {
    {
      const std::scoped_lock lock(mutex_);
      stop_ = true;
    }
    room_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }
  InOrder(const InOrder&) = delete;
  InOrder& operator=(const InOrder&) = delete;

  // An exception of `make` is thrown when its item is due, and again by every later call.
  T next() {
    if (next_ >= end_) throw std::logic_error("nothing is left to hand over");
    if (threads_.empty()) {
      T item = make_(next_, stop_);
      ++next_;
      return item;
    }
    std::unique_lock lock(mutex_);
    made_.wait(lock, [this] { return items_.contains(next_) || errors_.contains(next_); });
    if (const auto error = errors_.find(next_); error != errors_.end()) std::rethrow_exception(error->second);
    T item = std::move(items_.extract(next_).mapped());
    ++next_;
    room_.notify_all();
    return item;
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    while (true) {
      room_.wait(lock,
                 [this] { return stop_ || (taken_ < end_ && taken_ - next_ < ahead_) || taken_ == end_; });
      if (stop_ || taken_ == end_ || !errors_.empty()) return;
      const std::int64_t index = taken_++;
      lock.unlock();
      try {
        T item = make_(index, stop_);
        lock.lock();
        items_.emplace(index, std::move(item));
      } catch (...) {
        if (!lock.owns_lock()) lock.lock();
        errors_.emplace(index, std::current_exception());
      }
      made_.notify_all();
    }
  }

  Make make_;
  std::int64_t next_, taken_, end_;  // to be handed over, to be made
  const int ahead_;
  std::atomic<bool> stop_ = false;
  std::mutex mutex_;
  std::condition_variable made_, room_;
  std::map<std::int64_t, T> items_;
  std::map<std::int64_t, std::exception_ptr> errors_;
  std::vector<std::thread> threads_;
};

}  // namespace duet
