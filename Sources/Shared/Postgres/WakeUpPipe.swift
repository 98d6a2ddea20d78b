#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A pipe to oneself, by which another thread ends a `poll` early.
///
/// A byte in it means only "look again": what is to be done stands elsewhere (`Task.isCancelled`), so a byte
/// that comes late is harmless. Both ends are non-blocking and closed with the last reference; whoever may
/// still signal holds a reference, so no descriptor is used after it was closed.
final class WakeUpPipe: Sendable {
  /// The end to be polled for input.
  let readDescriptor: Int32
  private let writeDescriptor: Int32

  /// Opens the pipe; nil where the process has no descriptor left.
  init?() {
    var descriptors: [Int32] = [0, 0]
    guard pipe(&descriptors) == 0 else { return nil }
    for descriptor in descriptors {
      _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
      _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    }
    readDescriptor = descriptors[0]
    writeDescriptor = descriptors[1]
  }

  deinit {
    close(readDescriptor)
    close(writeDescriptor)
  }

  /// Makes the pipe readable. A full pipe is readable already, so a failed write loses nothing.
  func signal() {
    var byte: UInt8 = 1
    _ = write(writeDescriptor, &byte, 1)
  }

  /// Takes out all bytes.
  func drain() {
    var buffer = [UInt8](repeating: 0, count: 64)
    while read(readDescriptor, &buffer, buffer.count) > 0 {}
  }
}
