//! What the database is made of, for reports of problems.

use sqlx::AssertSqlSafe;

use crate::store::rows::statements;
use crate::store::{Result, Store, during};

statements! {
    TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
    SCHEMA = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type, name";
}

impl Store {
    /// Each table with its number of rows.
    pub async fn table_sizes(&self) -> Result<Vec<(String, u64)>> {
        during("count the rows of the tables", async {
            let tables: Vec<String> = sqlx::query_scalar(TABLES).fetch_all(self.read()).await?;
            let mut sizes = Vec::new();
            for table in tables {
                let name = table.replace('"', "\"\"");
                let count = AssertSqlSafe(format!("SELECT count(*) FROM \"{name}\""));
                let rows: i64 = sqlx::query_scalar(count).fetch_one(self.read()).await?;
                sizes.push((table, rows.cast_unsigned()));
            }
            Ok(sizes)
        })
        .await
    }

    /// The statements that make its tables, indexes and views.
    pub async fn schema(&self) -> Result<String> {
        during("read the schema", async {
            let statements: Vec<String> = sqlx::query_scalar(SCHEMA).fetch_all(self.read()).await?;
            let statements = statements.into_iter().map(|sql| sql + ";\n");
            Ok(statements.collect())
        })
        .await
    }
}
