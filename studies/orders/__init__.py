"""What a RIS tells of exams and patients beside their images: orders, states, corrections, merges."""
