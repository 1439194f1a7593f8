"""Has what users do moved away from what a run was trained on?"""
