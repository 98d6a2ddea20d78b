import FoundationEssentials
import Payouts
import Synchronization

/// The machine's clock, moved by as many milliseconds as a file says, read again and again while the program runs: so that a
/// test can let one worker's time of day jump, as where an operator or NTP sets it, while all others' stays.
///
/// - `now()` looks at the file at most every `lookMilliseconds`, and only one caller does: the others go on with the offset
///   that is known, so that nobody ever waits for another one's reading. A look is an open and a read of a few bytes.
/// - A file that cannot be read, or is no such number, changes nothing: whoever writes it may be in the middle of it.
/// - `sleep` is the machine's, which no time of day moves.
final class ClockMovedByFile: WallClock {
  /// A day: whoever wants more has mistaken the unit.
  static let offsets: ClosedRange<Int64> = -86_400_000...86_400_000
  /// What a file may hold, in bytes.
  private static let maximumBytes = 64
  private static let lookMilliseconds: Int64 = 50

  private let machine = SystemClock()
  private let path: String
  private let offset: Atomic<Int64>
  private let looked: Mutex<ContinuousClock.Instant>

  /// - Parameter path: a regular file with a whole number of milliseconds: above 0 the clock is ahead.
  init(path: String) throws(MalformedValue) {
    self.path = path
    offset = Atomic(try Self.offset(in: path))
    looked = Mutex(.now)
  }

  /// The machine's time, moved.
  func now() -> Timestamp {
    looked.withLockIfAvailable { looked in
      let present = ContinuousClock.now
      guard present - looked >= .milliseconds(Self.lookMilliseconds) else { return }
      looked = present
      do throws(MalformedValue) {
        offset.store(try Self.offset(in: path), ordering: .relaxed)
      } catch {
        // The offset that is known stays.
      }
    }
    return machine.now().advanced(byMilliseconds: offset.load(ordering: .relaxed))
  }

  /// Waits by the machine's continuous clock.
  func sleep(milliseconds: Int64) async throws { try await machine.sleep(milliseconds: milliseconds) }

  private static func offset(in path: String) throws(MalformedValue) -> Int64 {
    let bytes: Data
    do {
      // Opening a pipe or a device could wait for ever.
      let attributes = try FileManager.default.attributesOfItem(atPath: path)
      guard attributes[.type] as? FileAttributeType == .typeRegular else {
        throw MalformedValue("clock", "it is no regular file")
      }
      bytes = try Data(contentsOf: URL(filePath: path))
    } catch let error as MalformedValue {
      throw error
    } catch {
      throw MalformedValue("clock", "it cannot be read")
    }
    guard bytes.count <= maximumBytes, var text = String(validating: bytes, as: UTF8.self) else {
      throw MalformedValue("clock", "it holds no number")
    }
    if text.last?.isNewline == true { text.removeLast() }
    guard let milliseconds = Int64(text), offsets.contains(milliseconds) else {
      throw MalformedValue("clock", "it holds no whole number of milliseconds within a day")
    }
    return milliseconds
  }
}
