//! A plain Rust program that writes a file of JSON items to the table Orders with the AWS SDK: one thread, as one worker
//! of ddbio has, and eight requests at once.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, ReturnConsumedCapacity, WriteRequest};
use aws_sdk_dynamodb::Client;
use serde_json::Value;
use tokio::task::JoinSet;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const TABLE: &str = "Orders";
const BATCH_ITEMS: usize = 25;
const REQUESTS: usize = 8;
const ATTEMPTS: u32 = 10;

fn main() -> Result<(), Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(write())
}

async fn write() -> Result<(), Failure> {
    let client = Client::new(&aws_config::load_defaults(BehaviorVersion::latest()).await);
    let path = std::env::args().nth(1).ok_or("usage: rust_sdk FILE")?;
    let mut lines = BufReader::with_capacity(1 << 20, File::open(path)?).lines();
    let mut requests: JoinSet<Result<(), Failure>> = JoinSet::new();
    loop {
        let mut batch = Vec::with_capacity(BATCH_ITEMS);
        for line in lines.by_ref().take(BATCH_ITEMS) {
            batch.push(put(serde_json::from_str(&line?)?)?);
        }
        if batch.is_empty() {
            break;
        }
        if requests.len() == REQUESTS {
            requests.join_next().await.expect("there are some")??;
        }
        requests.spawn(send(client.clone(), batch));
    }
    while let Some(done) = requests.join_next().await {
        done??;
    }
    Ok(())
}

async fn send(client: Client, mut batch: Vec<WriteRequest>) -> Result<(), Failure> {
    for attempt in 0..ATTEMPTS {
        let answer = client
            .batch_write_item()
            .request_items(TABLE, batch)
            .return_consumed_capacity(ReturnConsumedCapacity::Indexes)
            .send()
            .await?;
        match answer.unprocessed_items.and_then(|mut left| left.remove(TABLE)) {
            None => return Ok(()),
            Some(left) => batch = left,
        }
        tokio::time::sleep(Duration::from_millis(50 << attempt)).await;
    }
    Err("given up".into())
}

fn put(item: Value) -> Result<WriteRequest, Failure> {
    let Value::Object(item) = item else { return Err("not an object".into()) };
    let item = item.into_iter().map(|(name, value)| (name, attribute(value))).collect();
    Ok(WriteRequest::builder().put_request(PutRequest::builder().set_item(Some(item)).build()?).build())
}

fn attribute(value: Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(value) => AttributeValue::Bool(value),
        Value::Number(value) => AttributeValue::N(value.to_string()),
        Value::String(value) => AttributeValue::S(value),
        Value::Array(values) => AttributeValue::L(values.into_iter().map(attribute).collect()),
        Value::Object(values) if values.len() == 1 && values.contains_key("$SS") => {
            let texts = values["$SS"].as_array().into_iter().flatten().filter_map(Value::as_str);
            AttributeValue::Ss(texts.map(String::from).collect())
        }
        Value::Object(values) => {
            AttributeValue::M(values.into_iter().map(|(name, value)| (name, attribute(value))).collect::<HashMap<_, _>>())
        }
    }
}
