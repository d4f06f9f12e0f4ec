//! Many messages waiting: the counterpart cannot be reached, and everything is taken all the same.
//! Shows whether taking stays quick and the memory flat, and what waiting costs.

use crate::{gateway, queue};
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

/// Steps in which the figures are shown.
const STEPS: usize = 10;
/// How long the gateway is watched when everything waits.
const WATCHED: Duration = Duration::from_secs(10);

/// Lets `messages` wait in the store.
pub async fn run(folder: &Path, url: &str, messages: usize, in_flight: usize) {
    // A port nobody listens on.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    gateway::prepare(folder, url, port, in_flight);
    gateway::apply_topology(folder).await;
    let forwarder = gateway::start(folder, None);
    println!("{:>10} {:>12} {:>18} {:>8}", "waiting", "messages/s", "CPU-s per 10,000", "RSS MB");
    let step = messages.div_ceil(STEPS);
    for number in 0..STEPS {
        let (begun, cpu) = (Instant::now(), forwarder.cpu_seconds());
        queue::fill(url, number * step, step).await;
        queue::drained(url).await;
        let rate = step as f64 / begun.elapsed().as_secs_f64();
        let cpu = (forwarder.cpu_seconds() - cpu) * 10_000.0 / step as f64;
        let rss = forwarder.rss_mb();
        println!("{:10} {rate:12.0} {cpu:18.2} {rss:8.0}", (number + 1) * step);
    }
    let cpu = forwarder.cpu_seconds();
    tokio::time::sleep(WATCHED).await;
    let cpu = (forwarder.cpu_seconds() - cpu) / WATCHED.as_secs_f64();
    println!("while all of them wait: {cpu:.3} CPU-s per second, {:.0} MB", forwarder.rss_mb());
    forwarder.stop().await;
}
