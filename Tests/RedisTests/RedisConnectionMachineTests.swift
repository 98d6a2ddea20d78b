import NIOCore
import Testing

@testable import Redis

/// Shows every way of a connection and of the commands on it, in the pure machine: no socket, no clock.
@Suite struct RedisConnectionMachineTests {
  typealias Machine = RedisConnectionMachine<String>

  private func machine(maximumCommands: Int = 100, maximumBytes: Int = 1_000) -> Machine {
    Machine(maximumCommands: maximumCommands, maximumBytes: maximumBytes, silenceLimit: .seconds(5))
  }

  /// A machine that has logged in.
  private func readyMachine() -> Machine {
    var machine = machine()
    let connects = machine.keep()
    #expect(connects)
    machine.opened(handshakeReplies: 1)
    guard case .ready(let requests) = machine.received(.status("PONG")) else {
      Issue.record("the handshake did not end")
      return machine
    }
    #expect(requests.isEmpty)
    return machine
  }

  @discardableResult
  private func submit(_ machine: inout Machine, _ name: String, commands: Int = 1, deadline: Int64 = 10) -> UInt64 {
    switch machine.submit(name, commands: commands, bytes: 10, deadline: seconds(deadline)) {
    case .send(let id), .wait(let id), .connect(let id):
      return id
    case .refuse(let error):
      Issue.record("refused: \(error)")
      return 0
    }
  }

  private func seconds(_ number: Int64) -> NIODeadline { .uptimeNanoseconds(0) + .seconds(number) }

  @Test func `the first command connects, later ones wait, and all are sent in order after the log-in`() {
    var machine = machine()
    guard case .connect = machine.submit("a", commands: 1, bytes: 1, deadline: seconds(9)) else {
      Issue.record("the first command must connect")
      return
    }
    guard case .wait = machine.submit("b", commands: 1, bytes: 1, deadline: seconds(9)) else {
      Issue.record("the second command must wait")
      return
    }
    machine.opened(handshakeReplies: 2)
    guard case .none = machine.received(.status("OK")), machine.state == .handshaking(repliesLeft: 1) else {
      Issue.record("the log-in has two replies")
      return
    }
    guard case .ready(let requests) = machine.received(.status("PONG")) else {
      Issue.record("the log-in ends with its second reply")
      return
    }
    #expect(requests == ["a", "b"])
    guard case .send = machine.submit("c", commands: 1, bytes: 1, deadline: seconds(9)) else {
      Issue.record("a ready connection sends at once")
      return
    }
    for name in ["a", "b", "c"] {
      guard case .complete(let request, let values) = machine.received(.status(name)) else {
        Issue.record("a reply completes a command")
        return
      }
      #expect(request == name && values == [.status(name)])
    }
    #expect(machine.commandCount == 0 && machine.byteCount == 0)
  }

  @Test func `a pipeline completes with its last reply and refusals stay in their places`() {
    var machine = readyMachine()
    submit(&machine, "p", commands: 3)
    submit(&machine, "q")
    let refusal = RedisValue.error(RedisServerError(text: "OOM no memory"))
    for value in [.integer(1), refusal] {
      guard case .none = machine.received(value) else {
        Issue.record("not complete yet")
        return
      }
    }
    guard case .complete("p", let values) = machine.received(.integer(3)) else {
      Issue.record("the third reply completes it")
      return
    }
    #expect(values == [.integer(1), refusal, .integer(3)])
    guard case .complete("q", [.integer(4)]) = machine.received(.integer(4)) else {
      Issue.record("the next reply belongs to the next command")
      return
    }
  }

  /// The heart of sharing a connection: a caller that gives up keeps its place, so its neighbours get their own replies.
  @Test func `a cancelled command keeps its slot and its reply is dropped`() {
    var machine = readyMachine()
    submit(&machine, "a")
    let b = submit(&machine, "b", commands: 2)
    submit(&machine, "c")
    guard case .abandoned("b") = machine.cancel(id: b), case .none = machine.cancel(id: b) else {
      Issue.record("cancelling works once")
      return
    }
    #expect(machine.commandCount == 4)
    guard case .complete("a", [.integer(1)]) = machine.received(.integer(1)),
      case .none = machine.received(.integer(2)),
      case .none = machine.received(.integer(3)), case .complete("c", [.integer(4)]) = machine.received(.integer(4))
    else {
      Issue.record("replies went to the wrong callers")
      return
    }
    #expect(machine.commandCount == 0)
  }

  @Test func `a cancelled command that was not sent is forgotten`() {
    var machine = machine()
    let ids = ["a", "b", "c"].map { submit(&machine, $0) }
    guard case .notSent("b") = machine.cancel(id: ids[1]), case .none = machine.cancel(id: ids[1]),
      case .none = machine.cancel(id: 99), case .none = machine.cancel(id: 0)
    else {
      Issue.record("only what waits can be cancelled")
      return
    }
    machine.opened(handshakeReplies: 1)
    guard case .ready(["a", "c"]) = machine.received(.status("PONG")) else {
      Issue.record("the others are sent")
      return
    }
  }

  @Test func `the queue takes its maximum of commands and bytes and no more`() {
    var machine = machine(maximumCommands: 3, maximumBytes: 30)
    submit(&machine, "a", commands: 2)
    submit(&machine, "b", commands: 1)
    for (commands, bytes) in [(1, 1), (1, 0)] {
      guard case .refuse(let error) = machine.submit("c", commands: commands, bytes: bytes, deadline: seconds(1)) else {
        Issue.record("four commands are too many")
        return
      }
      #expect(error.code == .queueFull && error.outcome == .notSent)
    }
    var bytes = self.machine(maximumCommands: 100, maximumBytes: 30)
    guard case .connect = bytes.submit("a", commands: 1, bytes: 30, deadline: seconds(1)),
      case .refuse = bytes.submit("b", commands: 1, bytes: 1, deadline: seconds(1))
    else {
      Issue.record("thirty bytes fit and one more does not")
      return
    }
  }

  @Test func `losing the connection makes what was sent unknown and keeps what waits`() {
    var machine = readyMachine()
    submit(&machine, "sent")
    let cancelled = submit(&machine, "cancelled")
    _ = machine.cancel(id: cancelled)
    let loss = machine.lost()
    #expect(loss.unknown == ["sent"] && loss.backsOff && machine.state == .backingOff && machine.attempt == 1)
    guard case .wait = machine.submit("later", commands: 1, bytes: 1, deadline: seconds(9)) else {
      Issue.record("commands wait while it backs off")
      return
    }
    var connects = machine.backOffElapsed()
    #expect(connects && machine.attempt == 2)
    #expect(machine.lost().unknown.isEmpty && machine.state == .backingOff)
    connects = machine.backOffElapsed()
    #expect(connects && machine.attempt == 3)
    machine.opened(handshakeReplies: 1)
    guard case .ready(["later"]) = machine.received(.status("PONG")) else {
      Issue.record("the waiting command is sent on the new connection")
      return
    }
    #expect(machine.attempt == 0)
  }

  @Test func `a half-received pipeline does not spill into the next connection`() {
    var machine = readyMachine()
    submit(&machine, "p", commands: 2)
    _ = machine.received(.integer(1))
    #expect(machine.lost().unknown == ["p"])
    let connects = machine.backOffElapsed()
    #expect(connects)
    machine.opened(handshakeReplies: 1)
    _ = machine.received(.status("PONG"))
    submit(&machine, "q", commands: 2)
    _ = machine.received(.integer(8))
    guard case .complete("q", [.integer(8), .integer(9)]) = machine.received(.integer(9)) else {
      Issue.record("the old reply must be gone")
      return
    }
  }

  @Test func `nobody connects again for a client that nobody uses`() {
    var machine = machine()
    submit(&machine, "a", deadline: 1)
    #expect(machine.lost().backsOff)
    #expect(machine.expire(now: seconds(1)).notSent == ["a"])
    let connects = machine.backOffElapsed()
    #expect(!connects && machine.state == .idle)
    guard case .connect = machine.submit("b", commands: 1, bytes: 1, deadline: seconds(9)) else {
      Issue.record("the next command connects again")
      return
    }
  }

  @Test func `callers are let go at their deadline and not before`() {
    var machine = readyMachine()
    submit(&machine, "early", deadline: 3)
    submit(&machine, "late", deadline: 8)
    #expect(machine.nextExpiry == seconds(3))
    #expect(machine.expire(now: seconds(3) - .nanoseconds(1)).unknown.isEmpty)
    let expiry = machine.expire(now: seconds(3))
    #expect(expiry.unknown == ["early"] && expiry.notSent.isEmpty && !expiry.isSilent)
    #expect(machine.expire(now: seconds(3)).unknown.isEmpty)
    guard case .none = machine.received(.integer(1)),
      case .complete("late", [.integer(2)]) = machine.received(.integer(2))
    else {
      Issue.record("the late reply to the first must be dropped")
      return
    }
  }

  @Test func `a connection whose oldest answer is overdue by the limit is silent`() {
    var machine = readyMachine()
    submit(&machine, "a", deadline: 3)
    _ = machine.expire(now: seconds(3))
    #expect(machine.nextExpiry == seconds(8))
    #expect(!machine.expire(now: seconds(8) - .nanoseconds(1)).isSilent)
    #expect(machine.expire(now: seconds(8)).isSilent)
  }

  @Test func `a refused log-in is told and a server that still loads is refused too`() {
    for (replies, word) in [(2, "WRONGPASS"), (1, "NOAUTH"), (1, "LOADING")] {
      var machine = machine()
      submit(&machine, "a")
      machine.opened(handshakeReplies: replies)
      guard case .refused(let error) = machine.received(.error(RedisServerError(text: "\(word) told so"))) else {
        Issue.record("\(word) must refuse the connection")
        return
      }
      #expect(error.word == word)
      #expect(machine.failWaiting() == ["a"] && machine.commandCount == 0)
      #expect(!machine.lost().backsOff)
    }
  }

  @Test func `a user who may not ping has logged in all the same`() {
    var machine = machine()
    submit(&machine, "a")
    machine.opened(handshakeReplies: 1)
    guard case .ready(["a"]) = machine.received(.error(RedisServerError(text: "NOPERM no ping"))) else {
      Issue.record("NOPERM on PING is no refusal")
      return
    }
    var other = self.machine()
    submit(&other, "a")
    other.opened(handshakeReplies: 2)
    guard case .refused = other.received(.error(RedisServerError(text: "NOPERM no select"))) else {
      Issue.record("NOPERM on SELECT is one")
      return
    }
  }

  @Test func `a reply that nobody asked for is unexpected`() {
    var machine = readyMachine()
    guard case .unexpected = machine.received(.status("HELLO")) else {
      Issue.record("nobody asked")
      return
    }
  }

  @Test func `closing lets what waits go, awaits what is owed and takes nothing more`() {
    var machine = readyMachine()
    submit(&machine, "sent")
    #expect(machine.close().isEmpty && machine.state == .closing && !machine.owesNothing)
    guard case .refuse(let error) = machine.submit("x", commands: 1, bytes: 1, deadline: seconds(9)) else {
      Issue.record("a closing client takes nothing")
      return
    }
    #expect(error.code == .closed && error.outcome == .notSent)
    guard case .complete("sent", _) = machine.received(.integer(1)) else {
      Issue.record("the owed answer still counts")
      return
    }
    #expect(machine.owesNothing)
    #expect(machine.lost().unknown.isEmpty && machine.state == .closed)

    var connecting = self.machine()
    submit(&connecting, "waiting")
    #expect(connecting.close() == ["waiting"] && connecting.state == .closed && connecting.owesNothing)
    #expect(!connecting.backOffElapsed() && !connecting.keep())
  }
}
