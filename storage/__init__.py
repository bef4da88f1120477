"""SQLAlchemy tables, migrations, unit of work, and one store per aggregate."""
