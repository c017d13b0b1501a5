"""Who may do what: principals, the scope of every route, tokens, projects."""
