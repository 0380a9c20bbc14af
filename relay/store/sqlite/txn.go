package sqlite

import (
	"context"
	"database/sql"
	"fmt"
)

// statements are prepared once and used by every transaction of their pool.
type statements map[string]*sql.Stmt // :: query → prepared

func prepare(ctx context.Context, db *sql.DB, queries []string) (statements, error) {
	stmts := make(statements, len(queries))
	for _, query := range queries {
		stmt, err := db.PrepareContext(ctx, query)
		if err != nil {
			return nil, fmt.Errorf("preparing %q: %w", query, err)
		}
		stmts[query] = stmt
	}
	return stmts, nil
}

// txn is a transaction with the prepared statements of its pool; a query that
// was not prepared works as well. Its statements take no context: each is
// short, and one that was interrupted would cost the pool its connection.
type txn struct {
	tx    *sql.Tx
	stmts statements
	bound statements // those of stmts used in this transaction
}

func newTxn(tx *sql.Tx, stmts statements) *txn {
	return &txn{tx: tx, stmts: stmts, bound: make(statements)}
}

func (t *txn) exec(query string, args ...any) (sql.Result, error) {
	if stmt := t.stmt(query); stmt != nil {
		return stmt.Exec(args...)
	}
	return t.tx.Exec(query, args...)
}

func (t *txn) row(query string, args ...any) *sql.Row {
	if stmt := t.stmt(query); stmt != nil {
		return stmt.QueryRow(args...)
	}
	return t.tx.QueryRow(query, args...)
}

func (t *txn) rows(query string, args ...any) (*sql.Rows, error) {
	if stmt := t.stmt(query); stmt != nil {
		return stmt.Query(args...)
	}
	return t.tx.Query(query, args...)
}

func (t *txn) stmt(query string) *sql.Stmt {
	if stmt := t.bound[query]; stmt != nil {
		return stmt
	}
	prepared := t.stmts[query]
	if prepared == nil {
		return nil
	}
	stmt := t.tx.Stmt(prepared)
	t.bound[query] = stmt
	return stmt
}

// each calls scan for every row of a query.
func (t *txn) each(scan func(*sql.Rows) error, query string, args ...any) error {
	rows, err := t.rows(query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
