//! Which command a reply answers, and what it means there.

use super::{Client, Closed, Event, ProtocolFault, Step, What};
use crate::reply::Reply;

impl Client {
    pub(super) fn on_reply(&mut self, reply: Reply) {
        let handed = self.handed();
        match self.pending.front().copied() {
            Some(pending) if pending.end <= handed => {
                self.pending.pop_front();
                if reply.code() == 421 {
                    return self.on_closing(pending.what, reply);
                }
                self.on_answer(pending.what, reply);
                self.settle();
            }
            Some(pending) => self.on_early(Some(pending.what), reply),
            None => self.on_early(None, reply),
        }
    }

    /// A reply nobody waits for. A peer may refuse content while it comes (s4.5.3.2.5), and may say 421 at any
    /// moment (RFC 5321 s3.8); everything else was made up, or belongs to another command than it seems.
    fn on_early(&mut self, what: Option<What>, reply: Reply) {
        if reply.code() == 421 {
            let chunk = self.wants_content().then_some(What::Chunk);
            return match what.or(chunk) {
                Some(what) => self.on_closing(what, reply),
                None => self.end(Closed::ClosedByPeer(Step::Idle, reply)),
            };
        }
        let in_content = match what {
            None => self.wants_content(),
            Some(what) => matches!(what, What::Chunk | What::End),
        };
        if !in_content || !reply.is_refusal() {
            return self.end(Closed::Protocol(ProtocolFault::Unexpected(reply)));
        }
        // The end of the content has not left us, so the peer cannot have the message. But what we
        // sent of it stands between us and the next command.
        self.refuse_content(&reply);
        self.end(Closed::Refused(Step::Content, reply));
    }

    /// 421 in answer to a command.
    fn on_closing(&mut self, what: What, reply: Reply) {
        let whose = self.end_answers();
        if let Some(carriage) = &mut self.carriage {
            carriage.closing(what, &reply, whose);
        }
        self.end(match what.step() == Step::Quit {
            true => Closed::Quit,
            false => Closed::ClosedByPeer(what.step(), reply),
        });
    }

    fn on_answer(&mut self, what: What, reply: Reply) {
        match what {
            What::Greeting => self.on_greeting(reply),
            What::Ehlo => self.on_ehlo(reply),
            What::Helo => self.on_helo(reply),
            What::StartTls => self.on_starttls(reply),
            What::Auth(step) => self.on_auth(step, reply),
            What::Mail => self.on_mail(reply),
            What::Rcpt(at) => self.on_rcpt(at, reply),
            What::Data => self.on_data(reply),
            What::Chunk => self.on_chunk(reply),
            What::End => self.on_end(reply),
            What::Rset | What::Clear => self.on_rset(what, reply),
            What::Quit => self.end(Closed::Quit),
        }
    }

    fn on_rset(&mut self, what: What, reply: Reply) {
        if what == What::Clear {
            self.report();
        }
        if !reply.is_success() {
            return self.end(Closed::Refused(Step::Rset, reply));
        }
        if what == What::Rset {
            self.events.push_back(Event::Reset);
        }
    }
}
