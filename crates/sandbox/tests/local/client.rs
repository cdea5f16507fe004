//! A stand-in on a thread of its own, and a caller that signs.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opencode_core::host::Time;
use opencode_core::sandbox::{Execution, Line, Outcome};
use opencode_core::wire::aws::event_stream::Decoder;
use opencode_core::wire::aws::sigv4::{Credentials, Request, Scope, sign};
use opencode_sandbox::serve::local::{Options, Ready, serve};

/// A running stand-in.
pub struct Local {
    /// How it is reached.
    pub ready: Ready,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Local {
    /// Starts one; the error is why it does not serve.
    pub fn start(options: Options) -> Result<Self, String> {
        let (sender, receiver) = mpsc::channel();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let told = sender.clone();
            let ready = move |ready: &Ready| told.send(Ok(ready.clone())).unwrap();
            let served = runtime.block_on(serve(options, ready, async {
                let _ = stopped.await;
            }));
            if let Err(why) = served {
                let _ = sender.send(Err(why));
            }
        });
        let ready = receiver.recv().map_err(|_| "it ended".to_owned())??;
        Ok(Self { ready, stop: Some(stop), thread: Some(thread) })
    }

    /// Runs code for a tenant.
    pub fn run(&self, tenant: &str, code: &str) -> Outcome {
        self.execute(tenant, &Execution { nonce: format!("{tenant} {code}"), ..Execution::of("bash", code) })
    }

    /// Runs it and reads its one object.
    pub fn execute(&self, tenant: &str, execution: &Execution) -> Outcome {
        let answer = Invoke::new(self, tenant, &serde_json::to_vec(execution).unwrap()).send();
        assert_eq!(answer.status, 200, "{answer:?}");
        serde_json::from_slice(&answer.body).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
    }

    /// Runs it and reads its lines, and whether the stream was complete.
    pub fn stream(&self, tenant: &str, execution: &Execution) -> (Vec<Line>, String) {
        let event = serde_json::to_vec(execution).unwrap();
        let mut invoke = Invoke::new(self, tenant, &event);
        invoke.path = invoke
            .path
            .replace("2015-03-31", "2021-11-15")
            .replace("/invocations", "/response-streaming-invocations");
        let answer = invoke.send();
        assert_eq!(answer.status, 200, "{answer:?}");
        let mut decoder = Decoder::new(1 << 20);
        decoder.push(&answer.body);
        let (mut text, mut complete) = (Vec::new(), String::new());
        while let Some(message) = decoder.message().unwrap() {
            match message.header(":event-type") {
                Some("PayloadChunk") => text.extend_from_slice(&message.payload),
                _ => complete = String::from_utf8(message.payload.to_vec()).unwrap(),
            }
        }
        decoder.finish().unwrap();
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        (lines.map(|line| serde_json::from_slice(line).unwrap()).collect(), complete)
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A request that is good until somebody changes it.
pub struct Invoke {
    pub address: String,
    pub host: String,
    pub path: String,
    pub region: String,
    pub secret: String,
    pub id: String,
    pub tenant: Option<String>,
    pub body: Vec<u8>,
    pub now: Time,
    /// Sent and not signed.
    pub unsigned: String,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Invoke {
    pub fn new(local: &Local, tenant: &str, body: &[u8]) -> Self {
        let address = local.ready.endpoint.replace("http://", "");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Self {
            host: address.clone(),
            address,
            path: format!("/2015-03-31/functions/{}/invocations", local.ready.function),
            region: local.ready.region.clone(),
            secret: local.ready.secret_access_key.clone(),
            id: local.ready.access_key_id.clone(),
            tenant: Some(tenant.to_owned()),
            body: body.to_vec(),
            now: Time(now.as_millis() as u64),
            unsigned: String::new(),
        }
    }

    pub fn send(&self) -> Answer {
        let mut headers = vec![("host", self.host.as_str())];
        headers.extend(self.tenant.as_deref().map(|tenant| ("x-amz-tenant-id", tenant)));
        let request =
            Request { method: "POST", path: &self.path, query: "", headers: &headers, body: &self.body };
        let credentials = Credentials { id: &self.id, secret: &self.secret, token: None };
        let scope = Scope { region: &self.region, service: "lambda" };
        let signed = sign(&request, &credentials, scope, self.now);
        let mut head = format!("POST {} HTTP/1.1\r\nconnection: close\r\n", self.path);
        for (name, value) in
            headers.iter().map(|(n, v)| (*n, *v)).chain(signed.iter().map(|(n, v)| (*n, v.as_str())))
        {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("{}content-length: {}\r\n\r\n", self.unsigned, self.body.len()));
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        // A refused body may not be read to its end.
        let _ = stream.write_all(&self.body);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        Answer::read(&answer)
    }
}

impl Answer {
    fn read(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_lowercase();
        let status = head[9..12].parse().unwrap();
        let mut rest = &bytes[end + 4..];
        let mut body = Vec::new();
        if !head.contains("transfer-encoding: chunked") {
            return Self { status, head, body: rest.to_vec() };
        }
        loop {
            let line = rest.windows(2).position(|two| two == b"\r\n").expect("a chunk's length");
            let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).unwrap(), 16).unwrap();
            rest = &rest[line + 2..];
            if size == 0 {
                return Self { status, head, body };
            }
            body.extend_from_slice(&rest[..size]);
            rest = &rest[size + 2..];
        }
    }
}
