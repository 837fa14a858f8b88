// A board's top in Verilator, between a host's bytes and the two pins of its UART.
//
// The host's end of the line keeps the host's speed, whatever the board's is: a wrong baud rate
// garbles bytes here as it does on a wire.

#include <asm/termbits.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "Vboard.h"
#include "verilated.h"

namespace {

constexpr int RESET_CYCLES = 4;
constexpr int BATCH = 1024;            // cycles between two looks at the pseudo-terminal
constexpr int64_t IDLE = 1 << 20;      // cycles without a byte after which time stands still
constexpr int POLL_MS = 50;

class Virtual {
  public:
    explicit Virtual(double clock) : clock_(clock), bit_(clock) {
        top_.rx = 1;
        top_.rst = 1;
        for (int i = 0; i < RESET_CYCLES; i++) edge();
        top_.rst = 0;
    }

    void speed(double baud) { bit_ = clock_ / baud; }
    double clock() const { return clock_; }
    uint64_t cycles() const { return cycles_; }
    bool quiet() const { return to_board.empty() && !sending_ && !receiving_; }

    void cycle() {
        drive();
        edge();
        sample();
    }

    std::deque<uint8_t> to_board;
    std::vector<uint8_t> to_host;

  private:
    void edge() {
        top_.clk = 1;
        top_.eval();
        top_.clk = 0;
        top_.eval();
        cycles_++;
    }

    void drive() {
        if (!sending_) {
            if (to_board.empty()) return;
            frame_ = to_board.front() << 1 | 0x200;  // start, eight bits, stop
            to_board.pop_front();
            sending_ = true;
            sent_ = 0;
            next_bit_ = 0;
        }
        if (sent_ >= next_bit_) {
            if (frame_ == 0) {
                sending_ = false;
                drive();
                return;
            }
            top_.rx = frame_ & 1;
            frame_ >>= 1;
            next_bit_ += bit_;
        }
        sent_ += 1;
    }

    void sample() {
        if (!receiving_) {
            if (top_.tx) return;
            receiving_ = true;
            left_ = 10;
            wait_ = bit_ / 2;
            return;
        }
        wait_ -= 1;
        if (wait_ > 0) return;
        wait_ += bit_;
        byte_ = byte_ >> 1 | top_.tx << 9;
        if (--left_ > 0) return;
        receiving_ = false;
        if (byte_ & 0x200) to_host.push_back(byte_ >> 1 & 0xff);  // else it has no stop bit
        byte_ = 0;
    }

    VerilatedContext context_;
    Vboard top_{&context_};
    double clock_, bit_;
    uint64_t cycles_ = 0;
    bool sending_ = false, receiving_ = false;
    double sent_ = 0, next_bit_ = 0, wait_ = 0;
    unsigned frame_ = 0, byte_ = 0;
    int left_ = 0;
};

// The speed that the other end of a pseudo-terminal was set to, or none.
double speed_of(int fd) {
    struct termios2 settings;
    return ioctl(fd, TCGETS2, &settings) == 0 ? settings.c_ospeed : 0;
}

}  // namespace

extern "C" {

void *virtual_new(double clock) { return new Virtual(clock); }

void virtual_delete(void *self) { delete static_cast<Virtual *>(self); }

uint64_t virtual_cycles(void *self) { return static_cast<Virtual *>(self)->cycles(); }

// Send `count` bytes to the board and run until it has sent a byte 0 or `cycles` have passed; the
// bytes that it sent, `room` at most, are in `out`, their number is returned.
int64_t virtual_run(
    void *self, double baud, const uint8_t *bytes, int64_t count, uint8_t *out, int64_t room,
    int64_t cycles
) {
    auto &board = *static_cast<Virtual *>(self);
    board.speed(baud);
    board.to_board.insert(board.to_board.end(), bytes, bytes + count);
    board.to_host.clear();
    while (cycles-- > 0 && static_cast<int64_t>(board.to_host.size()) < room) {
        size_t before = board.to_host.size();
        board.cycle();
        if (board.to_host.size() > before && board.to_host.back() == 0) break;
    }
    for (size_t i = 0; i < board.to_host.size(); i++) out[i] = board.to_host[i];
    return board.to_host.size();
}

// Serve the pseudo-terminal whose master is `fd`, which must not block, until `stop` is not 0.
// Returns 0, or the error number of what went wrong.
int virtual_serve(void *self, int fd, const std::atomic<int> *stop) {
    auto &board = *static_cast<Virtual *>(self);
    uint8_t bytes[4096];
    uint64_t active = board.cycles();
    while (!stop->load()) {
        if (board.to_board.empty()) {
            ssize_t count = read(fd, bytes, sizeof bytes);
            if (count > 0) {
                double baud = speed_of(fd);
                if (baud > 0) board.speed(baud);
                board.to_board.insert(board.to_board.end(), bytes, bytes + count);
            } else if (count < 0 && errno != EAGAIN && errno != EINTR) {
                return errno;
            }
        }
        if (!board.quiet() || !board.to_host.empty()) active = board.cycles();
        if (static_cast<int64_t>(board.cycles() - active) > IDLE) {
            struct pollfd waited = {fd, POLLIN, 0};
            poll(&waited, 1, POLL_MS);
            if (waited.revents & POLLIN) active = board.cycles();
            continue;
        }
        for (int i = 0; i < BATCH; i++) board.cycle();
        if (!board.to_host.empty()) {
            ssize_t count = write(fd, board.to_host.data(), board.to_host.size());
            if (count > 0) {
                board.to_host.erase(board.to_host.begin(), board.to_host.begin() + count);
            } else if (count < 0 && errno != EAGAIN && errno != EINTR) {
                return errno;
            }
        }
    }
    return 0;
}

}  // extern "C"
