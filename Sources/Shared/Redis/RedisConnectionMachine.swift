import NIOCore

/// The life of a client's one connection and of the commands on it, as a pure value: events go in, what is to be done
/// comes out. ``RedisSession`` performs it.
///
/// ```
/// idle ─submit, keep─▶ connecting ─opened─▶ handshaking ─last answer─▶ ready
///   ▲                      │ ▲                   │                       │
///   │ nobody waits         │ └──elapsed── backingOff ◀────── lost ───────┤ close, answers owed
///   └──────────────────────┴──────────lost───────┘                       ▼
///                 close from any state ─▶ closed ◀── last answer, lost ─ closing
/// ```
///
/// A command is one slot, however many commands its pipeline has. `waiting` slots were not sent: losing the connection
/// does not touch them. `sent` slots own the next replies in order; a slot whose caller gave up stays where it is, since
/// its reply still comes, and only its request is gone.
struct RedisConnectionMachine<Request> {
  /// Where the connection stands; see the diagram.
  enum State: Equatable {
    case idle
    case connecting
    case handshaking(repliesLeft: Int)
    case ready
    case backingOff
    case closing
    case closed
  }

  /// The place of one pipeline in the order of replies.
  struct Slot {
    /// Grows by one with each slot, so both queues are sorted by it.
    let id: UInt64
    /// How many replies belong to it.
    let commandCount: Int
    /// How many bytes it holds.
    let byteCount: Int
    /// When its caller stops waiting.
    let deadline: NIODeadline
    /// Its caller; nil once that one gave up.
    var request: Request?
  }

  private(set) var state: State = .idle
  /// How many attempts to connect have not come to `ready` in a row.
  private(set) var attempt = 0
  /// Commands in both queues, those of callers that gave up included.
  private(set) var commandCount = 0
  /// Bytes in both queues.
  private(set) var byteCount = 0
  /// Whether the connection is wanted without commands too: a running service.
  private(set) var isKept = false

  private let maximumCommands: Int
  private let maximumBytes: Int
  private let silenceLimit: TimeAmount
  private var nextID: UInt64 = 1
  private var waiting = CircularBuffer<Slot>()
  private var sent = CircularBuffer<Slot>()
  /// What has arrived for the first sent slot.
  private var replies: [RedisValue] = []

  /// A connection that nobody has asked for yet.
  init(maximumCommands: Int, maximumBytes: Int, silenceLimit: TimeAmount) {
    self.maximumCommands = maximumCommands
    self.maximumBytes = maximumBytes
    self.silenceLimit = silenceLimit
  }

  // MARK: Commands

  /// What a submission asks the shell to do.
  enum Submission {
    /// Send it now; the slot is at the end of the order of replies.
    case send(id: UInt64)
    /// It waits for the connection that is under way.
    case wait(id: UInt64)
    /// It waits, and a connection is to be made.
    case connect(id: UInt64)
    /// It was not taken.
    case refuse(RedisError)
  }

  /// A caller brings a pipeline of `commands` commands.
  mutating func submit(_ request: Request, commands: Int, bytes: Int, deadline: NIODeadline) -> Submission {
    if state == .closing || state == .closed {
      return .refuse(RedisError(.closed, .notSent, "the client is closed; nothing was sent"))
    }
    guard commandCount + commands <= maximumCommands, byteCount + bytes <= maximumBytes else {
      return .refuse(
        RedisError(
          .queueFull, .notSent,
          "\(commandCount) commands of \(byteCount) bytes wait already; the limits are \(maximumCommands) and "
            + "\(maximumBytes): send less at a time, or again later"))
    }
    let slot = Slot(id: nextID, commandCount: commands, byteCount: bytes, deadline: deadline, request: request)
    nextID += 1
    commandCount += commands
    byteCount += bytes
    switch state {
    case .ready:
      sent.append(slot)
      return .send(id: slot.id)
    case .idle:
      waiting.append(slot)
      startConnecting()
      return .connect(id: slot.id)
    case .connecting, .handshaking, .backingOff, .closing, .closed:
      waiting.append(slot)
      return .wait(id: slot.id)
    }
  }

  /// What cancelling a caller's command comes to.
  enum Cancellation {
    /// It is answered or ended already.
    case none
    /// It was not sent and is forgotten.
    case notSent(Request)
    /// It was sent: the slot stays, its reply will be dropped.
    case abandoned(Request)
  }

  /// A caller gave up.
  mutating func cancel(id: UInt64) -> Cancellation {
    if let index = Self.index(of: id, in: sent) {
      guard let request = sent[index].request else { return .none }
      sent[index].request = nil
      return .abandoned(request)
    }
    if let index = Self.index(of: id, in: waiting) {
      let slot = waiting.remove(at: index)
      forget(slot)
      return slot.request.map { .notSent($0) } ?? .none
    }
    return .none
  }

  /// What the passing of time comes to.
  struct Expiry {
    /// Callers whose command was never sent.
    var notSent: [Request] = []
    /// Callers whose command was sent: its effect is unknown.
    var unknown: [Request] = []
    /// Whether the oldest answer is overdue for so long that the connection must be dead.
    var isSilent = false
  }

  /// Time has passed: callers beyond their deadline are let go.
  mutating func expire(now: NIODeadline) -> Expiry {
    var expiry = Expiry()
    for index in sent.indices where sent[index].deadline <= now {
      guard let request = sent[index].request else { continue }
      sent[index].request = nil
      expiry.unknown.append(request)
    }
    if let oldest = sent.first, oldest.deadline + silenceLimit <= now { expiry.isSilent = true }
    if waiting.contains(where: { $0.deadline <= now }) {
      for slot in waiting where slot.deadline <= now {
        forget(slot)
        if let request = slot.request { expiry.notSent.append(request) }
      }
      waiting.removeAll { $0.deadline <= now }
    }
    return expiry
  }

  /// When ``expire(now:)`` has something to do next; nil where nothing waits.
  var nextExpiry: NIODeadline? {
    var next = waiting.lazy.map(\.deadline).min()
    for slot in sent where slot.request != nil {
      next = min(next ?? slot.deadline, slot.deadline)
    }
    if let oldest = sent.first {
      let silence = oldest.deadline + silenceLimit
      next = min(next ?? silence, silence)
    }
    return next
  }

  // MARK: Connection

  /// A service wants the connection from now on. True where the shell is to connect.
  mutating func keep() -> Bool {
    isKept = true
    guard state == .idle else { return false }
    startConnecting()
    return true
  }

  /// The socket is open, and a handshake with so many replies (1 or more) is on its way.
  mutating func opened(handshakeReplies: Int) {
    precondition(state == .connecting && handshakeReplies > 0, "a handshake begins a new connection")
    state = .handshaking(repliesLeft: handshakeReplies)
  }

  /// What a reply asks the shell to do.
  enum Reply {
    /// More replies are needed, or nobody waits for this one.
    case none
    /// A caller has all its replies.
    case complete(Request, [RedisValue])
    /// The log-in is done: send these in order.
    case ready([Request])
    /// The server does not take us: end the connection.
    case refused(RedisServerError)
    /// Nobody asked for it: end the connection.
    case unexpected
  }

  /// A reply has arrived.
  mutating func received(_ value: RedisValue) -> Reply {
    switch state {
    case .handshaking(let repliesLeft):
      return receivedInHandshake(value, repliesLeft: repliesLeft)
    case .ready, .closing:
      guard let slot = sent.first else { return .unexpected }
      replies.append(value)
      guard replies.count == slot.commandCount else { return .none }
      let complete = replies
      replies = []
      sent.removeFirst()
      forget(slot)
      return slot.request.map { .complete($0, complete) } ?? .none
    case .idle, .connecting, .backingOff, .closed:
      return .unexpected
    }
  }

  /// The last command of the handshake is PING: a user who may not ping has logged in all the same, while a server that
  /// still loads its data (`LOADING`) is not ready.
  private mutating func receivedInHandshake(_ value: RedisValue, repliesLeft: Int) -> Reply {
    if let error = value.error, !(repliesLeft == 1 && error.word == "NOPERM") { return .refused(error) }
    guard repliesLeft == 1 else {
      state = .handshaking(repliesLeft: repliesLeft - 1)
      return .none
    }
    state = .ready
    attempt = 0
    swap(&sent, &waiting)
    return .ready(sent.compactMap(\.request))
  }

  /// What the end of a connection asks the shell to do.
  struct Loss {
    /// Callers whose command was sent: its effect is unknown.
    var unknown: [Request]
    /// Whether to wait and then connect again.
    var backsOff: Bool
  }

  /// The connection ended, or an attempt to make one failed.
  mutating func lost() -> Loss {
    let unknown = sent.compactMap(\.request)
    for slot in sent { forget(slot) }
    sent.removeAll()
    replies = []
    switch state {
    case .closing, .closed:
      state = .closed
    case .idle, .connecting, .handshaking, .ready, .backingOff:
      state = isKept || !waiting.isEmpty ? .backingOff : .idle
      if attempt == 0 { attempt = 1 }
    }
    return Loss(unknown: unknown, backsOff: state == .backingOff)
  }

  /// The wait is over. True where the shell is to connect; false where nobody needs it any more.
  mutating func backOffElapsed() -> Bool {
    guard state == .backingOff else { return false }
    guard isKept || !waiting.isEmpty else {
      state = .idle
      return false
    }
    startConnecting()
    return true
  }

  /// Lets go of all that wait for a connection: the server does not take us, and waiting does not help.
  mutating func failWaiting() -> [Request] {
    let requests = waiting.compactMap(\.request)
    for slot in waiting { forget(slot) }
    waiting.removeAll()
    return requests
  }

  /// Takes nothing more. Returns the callers whose command was not sent. The shell then ends the connection where
  /// ``owesNothing`` holds, and otherwise waits for answers, up to a limit.
  mutating func close() -> [Request] {
    let requests = failWaiting()
    isKept = false
    state = state == .ready && !sent.isEmpty || state == .closing ? .closing : .closed
    return requests
  }

  /// Whether a closing connection has no answer to wait for.
  var owesNothing: Bool { state == .closed || (state == .closing && sent.isEmpty) }

  private mutating func startConnecting() {
    state = .connecting
    attempt += 1
  }

  private mutating func forget(_ slot: Slot) {
    commandCount -= slot.commandCount
    byteCount -= slot.byteCount
  }

  private static func index(of id: UInt64, in slots: CircularBuffer<Slot>) -> CircularBuffer<Slot>.Index? {
    var low = slots.startIndex
    var high = slots.endIndex
    while low < high {
      let middle = slots.index(low, offsetBy: slots.distance(from: low, to: high) / 2)
      if slots[middle].id < id {
        low = slots.index(after: middle)
      } else {
        high = middle
      }
    }
    return low < slots.endIndex && slots[low].id == id ? low : nil
  }
}
